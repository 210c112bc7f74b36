"""What this machine can do with a package when nothing but scoring is asked of it.

`python -m benchmarks.offline JOB` prints it, in a process of its own as a server is; `run_offline` does that
for a caller.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.corpus import make_texts
from benchmarks.statistics import quantile
from bento.cpus import usable_cpus
from bento.package import read_package
from bento.scorer import Encoding, Scorer, plan_batches

BATCH_TOKENS = (128, 256, 512, 1024, 2048, 4096)
_WARM_UP_TEXTS = 64


@dataclass(frozen=True)
class Job:
    """What is scored.

    Attributes:
        package: The model package.
        words: The file that texts are made of.
        seed: Another seed, other texts.
        texts: How many each point of the grid scores.
        lone_texts: How many are scored one by one.
    """

    package: str
    words: str
    seed: tuple[int, ...]
    texts: int
    lone_texts: int


@dataclass(frozen=True)
class Point:
    """One point of the grid and its speed, tokenising included."""

    lanes: int
    threads: int
    batch_tokens: int
    texts_per_s: float
    texts_per_cpu_s: float


@dataclass(frozen=True)
class Offline:
    """The grid, and the median time of a text alone by how many threads score it."""

    grid: list[Point]
    lone_p50_ms: dict[str, float]


def run_offline(job: Job) -> Offline:
    """Run a job in a process of its own.

    Raises:
        subprocess.CalledProcessError: It failed; its standard error says why.
    """
    done = subprocess.run(  # noqa: S603 - this module
        [sys.executable, "-m", "benchmarks.offline", json.dumps(asdict(job))],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parent.parent,
    )
    found = json.loads(done.stdout)
    return Offline([Point(**point) for point in found["grid"]], found["lone_p50_ms"])


def shapes(cpus: int) -> list[tuple[int, int]]:
    """Return lanes and threads that use all of the processors, and no more."""
    return [(lanes, cpus // lanes) for lanes in sorted({cpus, max(1, cpus // 2), 1}, reverse=True)]


def main() -> None:
    """Run the job that the command line names."""
    job = Job(**json.loads(sys.argv[1]))
    texts = make_texts(json.loads(Path(job.words).read_text()), job.texts + job.lone_texts, job.seed)
    together, alone = texts[: job.texts], texts[job.texts :]
    grid: list[Point] = []
    lone_p50_ms = {}
    for lanes, threads in shapes(usable_cpus()):
        scorer = Scorer(read_package(Path(job.package)), threads=threads)
        scorer.predict(texts[:_WARM_UP_TEXTS])
        if threads in (1, usable_cpus()):
            lone_p50_ms[str(threads)] = _time_alone(scorer, alone)
        with ThreadPoolExecutor(lanes) as pool:
            grid += [
                Point(lanes, threads, tokens, *_time_together(scorer, pool, together, lanes, tokens))
                for tokens in BATCH_TOKENS
            ]
    print(json.dumps(asdict(Offline(grid, lone_p50_ms))))


def _time_together(
    scorer: Scorer, pool: ThreadPoolExecutor, texts: Sequence[str], lanes: int, batch_tokens: int
) -> tuple[float, float]:
    started, cpu = time.perf_counter(), time.process_time()

    def encode(lane: int) -> list[Encoding]:
        return [scorer.encode(text) for text in texts[lane::lanes]]

    encodings = [encoding for part in pool.map(encode, range(lanes)) for encoding in part]
    # The longest go first, so that no lane is left with a long batch at the end.
    batches = plan_batches([len(encoding) for encoding in encodings], batch_tokens)
    for _ in pool.map(scorer.score, [[encodings[row] for row in rows] for rows in batches]):
        pass
    return len(texts) / (time.perf_counter() - started), len(texts) / (time.process_time() - cpu)


def _time_alone(scorer: Scorer, texts: Sequence[str]) -> float:
    times = []
    for text in texts:
        started = time.perf_counter()
        scorer.score([scorer.encode(text)])
        times.append(time.perf_counter() - started)
    return quantile(sorted(times), 0.5) * 1e3


if __name__ == "__main__":
    main()
