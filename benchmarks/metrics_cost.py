"""What the server's metrics cost: `python -m benchmarks.metrics_cost --package PACKAGE`; two minutes.

A scrape: four servers that write to one directory, as the workers of one server do, and one that is asked
for all of them. The processor time of a request: one server that counts and does not count by turns, with
128 requests always in flight.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.contenders import HOST, OURS, PORT, Contender, Pair
from benchmarks.corpus import write_words
from benchmarks.load import Job, run_load
from benchmarks.server import Running, running
from benchmarks.statistics import median, quantile
from bento.package import read_package

_WORKERS = 4
_SCRAPES = 50
_ROUNDS = 6
_CONCURRENCY = 128
_WARM_S, _TURN_S = 0.5, 3.0
_RPS = 8_000  # more than any server here answers

_SWITCHED = Contender(
    "valence",
    "onnx",
    (sys.executable, "-m", "benchmarks.uncounted", "--host", HOST, "--port", PORT),
    peer=False,
)


@contextmanager
def _shared_metrics() -> Iterator[None]:
    """Have the servers that are started meanwhile write their metrics to one directory."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        try:
            yield
        finally:
            del os.environ["PROMETHEUS_MULTIPROC_DIR"]


def _job(server: Running, words: Path, seed: int, warm_s: float, seconds: float) -> Job:
    return Job(
        port=server.port,
        server=server.pid,
        before=OURS.before,
        after=OURS.after,
        words=str(words),
        seed=(seed,),
        texts=round(_RPS * (warm_s + seconds)),
        warm_s=warm_s,
        seconds=seconds,
        concurrency=_CONCURRENCY,
    )


def _scrape(port: int) -> tuple[float, bytes]:
    """Return how long the answer took, in ms, and the answer."""
    connection = HTTPConnection(HOST, port, timeout=10)
    started = time.perf_counter()
    connection.request("GET", "/metrics")
    answer = connection.getresponse().read()
    took_ms = (time.perf_counter() - started) * 1e3
    connection.close()
    return took_ms, answer


def _measure_scrape(pair: Pair, words: Path) -> str:
    with ExitStack() as workers:
        workers.enter_context(_shared_metrics())
        servers = [workers.enter_context(running(OURS, {}, pair)) for _ in range(_WORKERS)]
        for number, server in enumerate(servers):
            run_load(_job(server, words, number, 0, 1))
        scrapes = [_scrape(servers[0].port) for _ in range(_SCRAPES)]
    times = sorted(took_ms for took_ms, _ in scrapes)
    answer = scrapes[-1][1]
    series = sum(not line.startswith(b"#") for line in answer.splitlines())
    return (
        f"A scrape of {_WORKERS} workers: {median(times):.1f} ms, the median of {_SCRAPES} "
        f"(p95 {quantile(times, 0.95):.1f} ms); {series} series, {len(answer) / 1e3:.0f} kB"
    )


def _measure_cost(pair: Pair, words: Path) -> str:
    spent: dict[signal.Signals, list[float]] = {signal.SIGUSR1: [], signal.SIGUSR2: []}
    with _shared_metrics(), running(_SWITCHED, {}, pair) as server:
        for number in range(_ROUNDS):
            for turn in sorted(spent, reverse=bool(number % 2)):
                os.kill(server.pid, turn)
                load = run_load(_job(server, words, number, _WARM_S, _TURN_S))
                spent[turn].append(load.server_cpu_ms_per_request)
    without, counting = spent.values()
    shares = sorted(1 - less / more for less, more in zip(without, counting, strict=True))
    return (
        f"Processor time of a request at concurrency {_CONCURRENCY}: {median(counting):.4f} ms with metrics, "
        f"{median(without):.4f} ms without; their share: {median(shares):.1%} (half of {_ROUNDS} rounds: "
        f"{quantile(shares, 0.25):.1%} to {quantile(shares, 0.75):.1%})"
    )


def _main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.metrics_cost",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--package", type=Path, required=True, help="the model package to serve")
    parser.add_argument("--only", choices=("scrape", "cost"), help="do not measure the other")
    arguments = parser.parse_args()
    pair = Pair(arguments.package, arguments.package)
    with tempfile.TemporaryDirectory() as folder:
        words = Path(folder) / "words.json"
        write_words(words, read_package(arguments.package).tokenizer)
        if arguments.only != "cost":
            print(_measure_scrape(pair, words), flush=True)
        if arguments.only != "scrape":
            print(_measure_cost(pair, words), flush=True)


if __name__ == "__main__":
    _main()
