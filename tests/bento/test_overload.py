"""More than can be answered: 429 and 504 are answers, and nothing else fails."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from bento.package import Package

if TYPE_CHECKING:
    from tests.bento.conftest import Serve

CALLERS = 24
TEXTS = [*["the film was good " * 5] * 15, "awful"]
SENTIMENTS = ["positive"] * 15 + ["negative"]
WITHIN_S = 60
ENOUGH = {200: 20, 429: 20, 504: 5}


def test_overload_is_refused_and_the_rest_is_answered_rightly(
    serve_alone: "Serve", tmp_path: Path, make_package: Callable[..., Package]
) -> None:
    """Every third caller has a quarter of the patience that its texts take even on an idle server."""
    package = make_package(tmp_path / "slow", layers=8)
    seen: Counter[int] = Counter()
    wrong: list[str] = []

    async def call(http: httpx.AsyncClient, patience: dict[str, str]) -> None:
        until = time.monotonic() + WITHIN_S
        while any(seen[status] < count for status, count in ENOUGH.items()) and time.monotonic() < until:
            answer = await http.post("/predict/batch", json={"texts": TEXTS}, headers=patience)
            seen[answer.status_code] += 1
            if answer.status_code == 200:
                sentiments = [one["sentiment"] for one in answer.json()["predictions"]]
                if sentiments != SENTIMENTS:
                    wrong.append(f"sentiments {sentiments}")
            elif answer.status_code == 429 and int(answer.headers["retry-after"]) < 1:
                wrong.append("retry-after")

    async def overload(url: str) -> httpx.Response:
        limits = httpx.Limits(max_connections=CALLERS)
        async with httpx.AsyncClient(base_url=url, timeout=WITHIN_S, limits=limits) as http:
            alone = await http.post("/predict/batch", json={"texts": TEXTS})
            patience = str(max(1, int(alone.json()["latency_ms"] / 4)))
            await asyncio.gather(
                *(
                    call(http, {} if number % 3 else {"x-request-timeout-ms": patience})
                    for number in range(CALLERS)
                )
            )
            return await http.post("/predict", json={"text": "fantastic"})

    with serve_alone(package.path, VALENCE_MAX_QUEUE_MS="50") as live:
        after = asyncio.run(overload(live.url))
    assert set(seen) <= set(ENOUGH), "429 and 504 are the only refusals"
    assert all(seen[status] >= count for status, count in ENOUGH.items()), seen
    assert wrong == []
    assert after.status_code == 200
