"""What each numeric form of a package's graph costs and brings: `python -m benchmarks.numeric_forms`.

Each form runs in a process of its own, one after the other, on the texts of a test file.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import forms
from benchmarks.openvino_session import OpenVinoSession
from bento.package import Package, read_package
from bento.scorer import Encoding, Scorer, plan_batches
from bento.text import normalise
from training.form_cost import measure_cost
from training.numeric_forms import int8_rows
from training.rows import Rows

Answer = dict[str, float]

_TABLE = Path("docs") / "numeric-forms.md"
_BATCH_TOKENS = 1024
_TIMED = 250  # texts in a throughput run
_LONE = 100
_CALIBRATION_TOKENS, _CALIBRATION_BATCH = 20, 16

FORMS: dict[str, Callable[[bytes, list[forms.Feed]], bytes]] = {
    "fp32": lambda graph, _: graph,
    "int8-rows": lambda graph, _: int8_rows(graph) or graph,
    "static int8, MinMax": lambda graph, feeds: forms.static_int8(
        graph, feeds, method="MinMax", per_channel=True
    ),
    "static int8, MinMax, per tensor": lambda graph, feeds: forms.static_int8(
        graph, feeds, method="MinMax", per_channel=False
    ),
    "static int8, percentile": lambda graph, feeds: forms.static_int8(
        graph, feeds, method="Percentile", per_channel=True
    ),
    "static int8, entropy": lambda graph, feeds: forms.static_int8(
        graph, feeds, method="Entropy", per_channel=True
    ),
    "dynamic int8 (ONNX Runtime's)": lambda graph, _: forms.dynamic_int8(graph),
    "8-bit weights, blocks of 32, level 4": lambda graph, _: forms.nbits(graph, block=32, accuracy_level=4),
    "8-bit weights, blocks of 64, level 4": lambda graph, _: forms.nbits(graph, block=64, accuracy_level=4),
    "8-bit weights, blocks of 128, level 4": lambda graph, _: forms.nbits(graph, block=128, accuracy_level=4),
    "8-bit weights, blocks of 128, level 0": lambda graph, _: forms.nbits(graph, block=128, accuracy_level=0),
    "fp16 weights": lambda graph, _: forms.fp16_weights(graph),
}

# What OpenVINO is given, and what it computes in.
OPENVINO = {
    "fp32, OpenVINO": ("fp32", "f32"),
    "bf16, OpenVINO": ("fp32", "bf16"),
    "static int8, MinMax, OpenVINO": ("static int8, MinMax", "f32"),
}


def _read(file: Path) -> Rows:
    """Read a CSV file with the columns `text` and `label`, without what is empty."""
    table = pd.read_csv(file).dropna(subset=["text", "label"])
    texts = [normalise(text) for text in table["text"]]
    kept = [(text, label) for text, label in zip(texts, table["label"], strict=True) if text]
    return Rows([text for text, _ in kept], [label for _, label in kept])


def _rss_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def _feed(batch: Sequence[Encoding]) -> forms.Feed:
    ids, mask = np.zeros((2, len(batch), max(map(len, batch))), np.int64)
    for row, encoding in enumerate(batch):
        ids[row, : len(encoding)], mask[row, : len(encoding)] = encoding.ids, 1
    return {"input_ids": ids, "attention_mask": mask}


def _calibration_feeds(encodings: Sequence[Encoding]) -> list[forms.Feed]:
    """Return batches of one shape, as two of the calibration methods read no others, and without padding."""
    common = Counter(len(encoding) for encoding in encodings if len(encoding) >= _CALIBRATION_TOKENS)
    (tokens, _), *_ = common.most_common(1)
    picked = [encoding for encoding in encodings if len(encoding) == tokens]
    starts = range(0, len(picked) // _CALIBRATION_BATCH * _CALIBRATION_BATCH, _CALIBRATION_BATCH)
    return [_feed(picked[start : start + _CALIBRATION_BATCH]) for start in starts]


def _texts_per_second(scorer: Scorer, encodings: Sequence[Encoding], lanes: int) -> float:
    batches = list(plan_batches([len(encoding) for encoding in encodings], _BATCH_TOKENS))
    with ThreadPoolExecutor(lanes) as pool:
        start = time.perf_counter()
        list(pool.map(lambda rows: scorer.score([encodings[row] for row in rows]), batches))
        return len(encodings) / (time.perf_counter() - start)


def _lone_ms(scorer: Scorer, encodings: Sequence[Encoding]) -> float:
    times = []
    for encoding in encodings[:_LONE]:
        start = time.perf_counter()
        scorer.score([encoding])
        times.append(time.perf_counter() - start)
    return float(np.median(times) * 1000)


def _scorers(package: Package, form: str, openvino: Path | None) -> Iterator[Scorer]:
    """Yield one for two lanes of a thread each, and one for a lane of two threads."""
    for lanes, threads in ((2, 1), (1, 2)):
        scorer = Scorer(package, threads=threads)
        if openvino and form in OPENVINO:
            precision = OPENVINO[form][1]
            session = OpenVinoSession(openvino, package.graph, precision, lanes=lanes, threads=threads)
            scorer._session = session  # serving knows one engine, and has no place for others
        scorer.score([scorer.encode("warm")])
        yield scorer


def _measure(package: Package, rows: Rows, reference: Path, form: str, openvino: Path | None) -> Answer:
    before_rss = _rss_mb()
    scorers = _scorers(package, form, openvino)
    one = next(scorers)
    rss = _rss_mb() - before_rss
    two = next(scorers)
    encodings = [one.encode(text) for text in rows.texts[:: max(1, len(rows) // _TIMED)]]
    runs: dict[str, Callable[[], float]] = {
        "one": lambda: _texts_per_second(one, encodings, 1),
        "lanes": lambda: _texts_per_second(one, encodings, 2),
        "threads": lambda: _texts_per_second(two, encodings, 1),
    }
    best = {name: max(run() for _ in range(2)) for name, run in runs.items()}
    scores = two.predict(rows.texts)
    if not reference.exists():
        np.save(reference, scores)
    before: NDArray[np.float32] = np.load(reference)
    cost = measure_cost(form, two, before, scores, rows).model_dump(exclude={"method"})
    lone = {"lone_1": _lone_ms(one, encodings), "lone_2": _lone_ms(two, encodings)}
    return best | lone | {"mb": len(package.graph) / 1e6, "rss_mb": rss} | cost


def _line(form: str, answer: Answer) -> str:
    change, lower, upper = (
        f"{100 * answer[f'macro_f1_change{end}']:+.2f}" for end in ("", "_lower_bound", "_upper_bound")
    )
    return (
        f"| {form} | {answer['one']:.0f} | {answer['lanes']:.0f} | {answer['threads']:.0f} "
        f"| {answer['lone_1']:.1f} | {answer['lone_2']:.1f} | {answer['mb']:.0f} | {answer['rss_mb']:.0f} "
        f"| {change} ({lower} to {upper}) | {answer['agreement_with_fp32']:.2%} "
        f"| {answer['batch_difference']:.6f}, {answer['batch_flips']:.1%} |"
    )


_HEAD = """# Numeric forms

`python -m benchmarks.numeric_forms` made this table; each form ran in a process of its own.
Points of macro-F1 are against fp32 on the same rows, with a 95% interval by paired bootstrap. Drift is what
batch mates and padding do to a text's scores: greatest difference, share of texts whose sentiment flips.

| form | texts/s, 1 lane | 2 lanes, 1 thread each | 1 lane, 2 threads | lone text, ms, 1 thread | 2 threads \
| file, MB | RSS of a session, MB | change in macro-F1, points | same sentiment | drift |
|---|---|---|---|---|---|---|---|---|---|---|"""


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.numeric_forms", description=__doc__)
    parser.add_argument("--package", type=Path, required=True, help="a model package in single precision")
    parser.add_argument("--test", type=Path, required=True, help="labelled texts to time and evaluate on")
    parser.add_argument("--calibrate", type=Path, help="texts for static forms, by default those of --test")
    parser.add_argument(
        "--openvino",
        type=Path,
        metavar="FOLDER",
        help="also OpenVINO, from here: pip install --no-deps --target FOLDER openvino openvino-telemetry",
    )
    parser.add_argument("--graph", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--form", help=argparse.SUPPRESS)
    parser.add_argument("--reference", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    package = read_package(arguments.package)
    rows = _read(arguments.test)
    if arguments.form:
        package = replace(package, graph=arguments.graph.read_bytes())
        print(json.dumps(_measure(package, rows, arguments.reference, arguments.form, arguments.openvino)))
        return
    scorer = Scorer(package)
    calibration = _read(arguments.calibrate or arguments.test).texts
    feeds = _calibration_feeds([scorer.encode(text) for text in calibration])
    lines = [_HEAD]
    print(_HEAD)
    with tempfile.TemporaryDirectory() as folder:
        ask = partial(_ask, [*sys.argv[1:], "--reference", f"{folder}/reference.npy"], Path(folder))
        made = {form: make(package.graph, feeds) for form, make in FORMS.items()}
        if arguments.openvino:
            made |= {form: made[source] for form, (source, _) in OPENVINO.items()}
        for form, graph in made.items():
            lines.append(_line(form, ask(form, graph)))
            print(lines[-1], flush=True)
    _TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _ask(arguments: list[str], folder: Path, form: str, graph: bytes) -> Answer:
    path = folder / "form.onnx"
    path.write_bytes(graph)
    command = [sys.executable, "-m", "benchmarks.numeric_forms", *arguments, "--graph", str(path)]
    answer = subprocess.run([*command, "--form", form], check=True, capture_output=True, text=True)  # noqa: S603
    return dict(json.loads(answer.stdout))


if __name__ == "__main__":
    _main()
