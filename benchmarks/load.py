"""The load generator: a process of its own, so that its work is not the server's and can be counted.

`python -m benchmarks.load JOB` prints what came of a job, both as JSON; `run_load` does that for a caller.
"""

import asyncio
import gc
import json
import math
import random
import resource
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from benchmarks.client import Answer, Client, make_request
from benchmarks.corpus import make_texts
from benchmarks.processes import cpu_seconds, machine_cpu_seconds
from benchmarks.statistics import quantile

OK = 200
DRAIN_S = 60.0
_FILES = 8_192


@dataclass(frozen=True)
class Job:
    """What is sent where.

    Attributes:
        port: Of the server, on 127.0.0.1.
        server: The id of its first process.
        before: What stands before the text in the JSON body.
        after: What stands behind it.
        words: The file that texts are made of.
        seed: Another seed, other texts.
        texts: How many are made beforehand; a job that would need more fails.
        warm_s: Seconds of load before the measured ones.
        seconds: Measured seconds.
        concurrency: So many requests are always in flight (closed loop), if not `rate`.
        rate: So many requests arrive each second, at random, whatever the answers do (open loop).
        within_s: Answers that take longer are of no use.
    """

    port: int
    server: int
    before: str
    after: str
    words: str
    seed: tuple[int, ...]
    texts: int
    warm_s: float
    seconds: float
    concurrency: int = 0
    rate: float = 0.0
    within_s: float = math.inf


@dataclass(frozen=True)
class Load:
    """What came of a job, of the answers within the measured seconds; `errors` are all but 200 and 429.

    Shares are of one processor; `other` is what neither server nor load generator took.
    With a `rate` those are the answers to what was due in these seconds, whenever they came.
    """

    rps: float
    useful_rps: float
    p50_ms: float
    p99_ms: float
    errors: int
    refused: int
    statuses: dict[str, int]
    server_cpu_ms_per_request: float
    server_cpu_share: float
    client_cpu_ms_per_request: float
    client_cpu_share: float
    other_cpu_share: float


class LoadError(Exception):
    """The load was not what the job says; the message says why and what to do."""


def run_load(job: Job) -> Load:
    """Run a job in a process of its own.

    Raises:
        LoadError: It failed.
    """
    done = subprocess.run(  # noqa: S603 - this module
        [sys.executable, "-m", "benchmarks.load", json.dumps(asdict(job))],
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parent.parent,
    )
    if done.returncode:
        raise LoadError(f"the load generator failed, exit code {done.returncode}: {done.stderr.strip()}")
    return Load(**json.loads(done.stdout))


def main() -> None:
    """Run the job that the command line names; exit code 1 says that it could not be done as it says."""
    job = Job(**json.loads(sys.argv[1]))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_FILES, hard), hard))
    words = json.loads(Path(job.words).read_text())
    requests = [
        make_request("127.0.0.1", f"{job.before}{json.dumps(text)}{job.after}".encode())
        for text in make_texts(words, job.texts, job.seed)
    ]
    gc.collect()
    gc.freeze()
    try:
        load = uvloop.run(_measure(job, requests))
    except LoadError as error:
        sys.exit(str(error))
    print(json.dumps(asdict(load)))


async def _measure(job: Job, requests: list[bytes]) -> Load:
    client = Client("127.0.0.1", job.port, iter(requests))
    arrivals = None
    if job.rate:
        arrivals = asyncio.create_task(_arrive(client, job))
    else:
        client.answered = lambda: client.send(time.perf_counter())
        for _ in range(job.concurrency):
            client.send(time.perf_counter())
    await asyncio.sleep(job.warm_s)
    server_cpu, client_cpu, all_cpu = cpu_seconds(job.server), time.process_time(), machine_cpu_seconds()
    started = time.perf_counter()
    await asyncio.sleep(job.seconds)
    ended = time.perf_counter()
    client_cpu, server_cpu = time.process_time() - client_cpu, cpu_seconds(job.server) - server_cpu
    other_cpu = machine_cpu_seconds() - all_cpu - server_cpu - client_cpu
    if arrivals is not None:
        await arrivals
    client.answered = lambda: None
    await client.drain(DRAIN_S)
    if client.exhausted:
        raise LoadError(
            f"all {job.texts} texts were sent before the {job.warm_s + job.seconds:g} s were over, so that "
            "the server got less load than it was to get; make more (`Plan.texts` in benchmarks/plan.py)"
        )
    answers = [
        answer for answer in client.answers if started <= (answer.due if job.rate else answer.ended) < ended
    ]
    return summarise(answers, ended - started, (server_cpu, client_cpu, other_cpu), job.within_s)


async def _arrive(client: Client, job: Job) -> None:
    """Send at random times that do not depend on the answers (a Poisson process)."""
    gaps = random.Random(repr(job.seed))
    due = time.perf_counter()
    end = due + job.warm_s + job.seconds
    while (due := due + gaps.expovariate(job.rate)) < end:
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        client.send(due)


def summarise(
    answers: list[Answer], seconds: float, cpu_s: tuple[float, float, float], within_s: float
) -> Load:
    """Reduce answers to figures; latencies and CPU per request are those of the 200s, NaN if there are none.

    Args:
        answers: Those of the measured seconds.
        seconds: How many these were.
        cpu_s: What the server, the load generator and all else on the machine took of the processors.
        within_s: Answers that take longer are of no use.
    """
    server_cpu_s, client_cpu_s, other_cpu_s = cpu_s
    statuses = Counter(answer.status for answer in answers)
    good = sorted(answer.ended - answer.due for answer in answers if answer.status == OK)
    per_request_ms = 1e3 / len(good) if good else math.nan
    return Load(
        rps=len(good) / seconds,
        useful_rps=sum(latency <= within_s for latency in good) / seconds,
        p50_ms=quantile(good, 0.5) * 1e3,
        p99_ms=quantile(good, 0.99) * 1e3,
        errors=sum(count for status, count in statuses.items() if status not in (OK, 429)),
        refused=statuses[429],
        statuses={str(status): count for status, count in sorted(statuses.items())},
        server_cpu_ms_per_request=server_cpu_s * per_request_ms,
        server_cpu_share=server_cpu_s / seconds,
        client_cpu_ms_per_request=client_cpu_s * per_request_ms,
        client_cpu_share=client_cpu_s / seconds,
        other_cpu_share=max(0.0, other_cpu_s) / seconds,
    )


if __name__ == "__main__":
    main()
