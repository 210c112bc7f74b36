"""What each ingredient of the transformer's recipe is worth: `python -m training.ablation --data FILE`.

The recipe of `params.yaml` is trained as it stands, and then again with one ingredient changed at a time; all
are told apart on the validation part, as the test part is for the end. Each result is kept when it is there:
a run that is interrupted goes on with the next, and the table is written anew after each.
"""

import argparse
import hashlib
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml

from bento.text import row_key
from training.bootstrap import Estimate, estimates, macro_f1_change
from training.errors import InputError, run
from training.evaluate import evaluate
from training.families import Beside, transformer
from training.families.transformer import Params
from training.params import PARAMS, Columns, Data, read_params, section
from training.prepare import prepare
from training.records import ARTIFACTS, Record
from training.rows import Rows
from training.splitting import NAMES
from training.stages.folders import PARTS
from training.storage import data_name
from training.whole import new_file

ABLATION = ARTIFACTS / "ablation"
RECIPE = "the recipe"

_TEXTBOOK = {
    "layer_decay": 1.0,
    "label_smoothing": 0.0,
    "average_epochs": 0.0,
    "max_epochs": 2,
    "patience": 2,
    "pretrain": (),
}


class Trial(Record):
    """One training: what it says of each validation row [rows], as the number of a label."""

    said: list[int]
    epochs: float
    seconds: float


def variants(recipe: Params, related: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield what is tried: its name, and what it changes of the recipe.

    Args:
        recipe: What everything is compared with.
        related: Files to learn from first, each tried for itself.
    """
    yield RECIPE, {}
    yield "another seed: what chance alone does", {"seed": recipe.seed + 1}
    yield "one learning rate for all layers", {"layer_decay": 1.0}
    yield "no label smoothing", {"label_smoothing": 0.0}
    yield "no averaging of weights", {"average_epochs": 0.0}
    yield "no warm-up", {"warmup_share": 0.0}
    yield "half the learning rate", {"learning_rate": recipe.learning_rate / 2}
    yield "twice the learning rate", {"learning_rate": recipe.learning_rate * 2}
    yield "two plain epochs, as in textbooks", _TEXTBOOK
    for location in related:
        yield f"pre-training on {data_name(location)}", {"pretrain": (location,)}


def ablate(
    parts: Mapping[str, Rows],
    labels: tuple[str, ...],
    recipe: Params,
    folder: Path,
    tried: Sequence[tuple[str, Mapping[str, Any]]],
) -> Path:
    """Train every variant that is not there yet, and write the table.

    Args:
        parts: Rows of `train`, `validation` and `test`; of the last only the keys are used, to keep its texts
            out of related data.
        labels: Of these rows.
        recipe: What the variants are changes of.
        folder: Where results are kept, by the data and the parameters that they are of.
        tried: From `variants`.

    Returns:
        The table, in Markdown.
    """
    held_out = frozenset(row_key(text) for part in NAMES[1:] for text in parts[part].texts)
    trials: dict[str, Trial] = {}
    for name, changes in tried:
        params = Params.model_validate(recipe.model_dump() | dict(changes))
        place = folder / _identity(parts, params)
        if not (place / "trial.json").exists():
            print(name, flush=True)
            _try(parts, labels, params, place, held_out).write(place / "trial.json")
            shutil.rmtree(place / "unfinished", ignore_errors=True)
        trials[name] = Trial.load(place / "trial.json")
        table = _write_table(folder / "ablation.md", trials, parts["validation"], labels)
    return table


def _try(
    parts: Mapping[str, Rows],
    labels: tuple[str, ...],
    params: Params,
    place: Path,
    held_out: frozenset[str],
) -> Trial:
    start = time.perf_counter()
    beside = Beside(place / "unfinished", held_out)
    fitted = transformer.fit(parts["train"], parts["validation"], labels, params, beside)
    seconds = time.perf_counter() - start
    said = fitted.predict_proba(parts["validation"].texts).argmax(axis=1)
    return Trial(said=said.tolist(), epochs=fitted.chosen["epochs"], seconds=round(seconds, 1))


def _identity(parts: Mapping[str, Rows], params: Params) -> str:
    told = [*(parts[part].sha256() for part in NAMES), params.model_dump_json()]
    return hashlib.sha256("|".join(told).encode()).hexdigest()[:16]


def _write_table(path: Path, trials: Mapping[str, Trial], validation: Rows, labels: tuple[str, ...]) -> Path:
    truth = np.array([labels.index(label) for label in validation.labels])
    base = np.array(trials[RECIPE].said)
    lines = [
        "| changed | macro-F1 on validation | to the recipe | epochs | seconds |",
        "|---|---|---|---|---|",
    ]
    for name, trial in trials.items():
        said = np.array(trial.said)
        scores = np.eye(len(labels), dtype=np.float32)[said]
        found = estimates(np.array(evaluate(scores, labels, validation.labels).confusion))["macro_f1"]
        change = "" if name == RECIPE else _told(macro_f1_change(truth, base, said), sign="+")
        lines.append(f"| {name} | {_told(found)} | {change} | {trial.epochs:.1f} | {trial.seconds:.0f} |")
    with new_file(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _told(estimate: Estimate, *, sign: str = "") -> str:
    value, lower, upper = (f"{number:{sign}.3f}" for number in estimate)
    return f"{value} ({lower} to {upper})"


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.ablation", description=__doc__)
    parser.add_argument("--data", metavar="FILE", help="labelled texts; by default those of params.yaml")
    parser.add_argument(
        "--related", metavar="FILE", action="append", default=[], help="try pre-training on it; repeatable"
    )
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        dest="settings",
        help="another value of train.transformer, such as max_steps=20; repeatable",
    )
    arguments = parser.parse_args()
    all_params = read_params()
    recipe = section(
        {"train": {"transformer": all_params["train"]["transformer"] | _settings(arguments.settings)}},
        "train.transformer",
        Params,
    )
    data = section(all_params, "data", Data)
    if arguments.data:
        data = data.model_copy(update={"path": arguments.data, "test": None, "columns": Columns()})
    with TemporaryDirectory() as folder:
        _, report = prepare(data, Path(folder))
        parts = {name: Rows.read(Path(folder) / PARTS / f"{name}.parquet") for name in NAMES}
    table = ablate(
        parts, report.labels, recipe, ABLATION / report.data.name, list(variants(recipe, arguments.related))
    )
    print(table.read_text(encoding="utf-8"), end="")
    print(f"kept in {table}")


def _settings(words: Sequence[str]) -> dict[str, Any]:
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise InputError(
                f"--set {word}: expected is KEY=VALUE, with a key of {PARAMS}: train.transformer"
            )
        found[key] = yaml.safe_load(value)
    return found


if __name__ == "__main__":
    run(_main)
