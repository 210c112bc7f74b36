"""Locust's side: who asks what when, and the verdict. `python -m tests.load` runs it.

Importing it patches the process for gevent, so only locust does.
"""

import argparse
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import ClassVar

from locust import FastHttpUser, LoadTestShape, events, task
from locust.env import Environment
from locust.stats import StatsEntry

from tests.load.answers import find_fault, is_refusal
from tests.load.judgement import OVERLOAD, USUAL, Figures, Limits, judge
from tests.load.mix import BATCH, Question, ask, read_words
from tests.load.shapes import SHAPES, users_at

_REFUSED = "refused"
_SPAWN_RATE = 100  # users a second; locust warns of more


class Caller(FastHttpUser):
    """Asks, thinks for a second on average, asks again; many of them come like a Poisson process."""

    network_timeout = 10.0
    connection_timeout = 10.0
    questions: ClassVar[Iterator[Question]]
    rng: ClassVar[random.Random]

    def wait_time(self) -> float:
        """Return how long to think."""
        return self.rng.expovariate(1)

    def on_start(self) -> None:
        """Think first, so that those who come together do not ask together."""
        time.sleep(self.wait_time())  # gevent's, by now

    @task
    def ask(self) -> None:
        """Ask for one prediction or a batch of them, and read the answer."""
        question = next(self.questions)
        with self.client.post(
            question.path,
            data=question.body,
            headers=question.headers,
            name=question.kind,
            catch_response=True,
        ) as response:
            headers = dict(response.headers or {})
            if _overloads(self.environment) and is_refusal(response.status_code, headers):
                response.request_meta["name"] = _REFUSED
                response.success()
            elif fault := find_fault(
                response.status_code, headers, response.content or b"", len(question.texts)
            ):
                response.failure(fault)


class Shape(LoadTestShape):
    """Follows `--shape` for `--run-time` seconds, around `--users`."""

    use_common_options = True

    def tick(self) -> tuple[int, float] | None:
        """Return how many users there are to be now; None ends the run."""
        assert self.runner is not None
        options = _options(self.runner.environment)
        share = self.get_run_time() / options.run_time  # type: ignore[no-untyped-call]
        return (users_at(options.shape, share, options.num_users), _SPAWN_RATE) if share < 1 else None


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shape", choices=SHAPES, default="steady", help="how the load goes")
    parser.add_argument("--seed", type=int, default=0, help="the same seed asks the same questions")
    for limit, help_ in (
        ("error_ratio", "failed requests of all; under overload 429 and 504 are not failed"),
        ("p95_ms", "of single texts"),
        ("p99_ms", "of single texts"),
    ):
        default = f"default: {getattr(USUAL, limit):g}, under overload {getattr(OVERLOAD, limit):g}"
        parser.add_argument(
            f"--max-{limit.replace('_', '-')}", dest=limit, type=float, help=f"{help_} ({default})"
        )


@events.init.add_listener  # type: ignore[untyped-decorator]
def _prepare(environment: Environment, **_: object) -> None:
    seed = _options(environment).seed
    Caller.questions = ask(read_words(), seed)
    Caller.rng = random.Random(seed)


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _judge(environment: Environment, **_: object) -> None:
    figures = _figures(environment)
    broken = judge(figures, _limits(environment))
    environment.process_exit_code = 1 if broken else 0

    @events.quit.add_listener  # type: ignore[untyped-decorator]
    def _tell(**_: object) -> None:
        sys.stdout.write(f"load: {figures}\n")
        if _overloads(environment) and not figures.refused:
            sys.stdout.write("load: nothing was refused, so this was no overload; take more --users\n")
        for sentence in broken:
            sys.stdout.write(f"load: FAILED: {sentence}\n")
        sys.stdout.flush()


def _options(environment: Environment) -> argparse.Namespace:
    options: argparse.Namespace | None = environment.parsed_options
    assert options is not None
    return options


def _overloads(environment: Environment) -> bool:
    return bool(_options(environment).shape == "overload")


def _limits(environment: Environment) -> Limits:
    base = OVERLOAD if _overloads(environment) else USUAL
    given = {name: getattr(_options(environment), name) for name in asdict(base)}
    return replace(base, **{name: value for name, value in given.items() if value is not None})


def _figures(environment: Environment) -> Figures:
    assert environment.runner is not None
    every, single = (StatsEntry(environment.stats, name, "") for name in ("every", "single"))
    refused = 0
    for entry in environment.stats.entries.values():
        if entry.name == _REFUSED:
            refused += entry.num_requests
            continue
        every.extend(entry)
        if entry.name != BATCH:
            single.extend(entry)
    return Figures(
        answered=every.num_requests - every.num_failures,
        refused=refused,
        failed=every.num_failures,
        crashed=len(environment.runner.exceptions),
        p50_ms=single.get_response_time_percentile(0.50),
        p95_ms=single.get_response_time_percentile(0.95),
        p99_ms=single.get_response_time_percentile(0.99),
    )
