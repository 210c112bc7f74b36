"""Tokenising what takes long: one request after another, and how long the next one waits is known."""

import asyncio
import threading
from functools import partial

import pytest

from bento.tokenising import Tokenising

WITHIN_S = 10


def test_requests_take_turns_and_what_waits_is_told() -> None:
    held, begun = threading.Event(), threading.Event()
    done: list[int] = []

    def encode(number: int) -> int:
        begun.set()
        assert held.wait(WITHIN_S)
        done.append(number)
        return number

    async def scenario() -> None:
        tokenising = Tokenising()
        held.set()
        assert await tokenising.run(partial(encode, 0), 100) == 0
        assert tokenising.wait_s == 0
        held.clear()
        begun.clear()
        calls = [asyncio.ensure_future(tokenising.run(partial(encode, number), 100)) for number in (1, 2, 3)]
        assert await asyncio.to_thread(begun.wait, WITHIN_S)
        waits_s = tokenising.wait_s
        assert waits_s > 0
        calls[2].cancel()
        await asyncio.sleep(0)
        assert tokenising.wait_s == pytest.approx(waits_s * 2 / 3)
        held.set()
        assert await asyncio.gather(*calls[:2]) == [1, 2]
        assert tokenising.wait_s == 0
        tokenising.close()

    asyncio.run(asyncio.wait_for(scenario(), WITHIN_S))
    assert done == [0, 1, 2], "who left before their turn costs nothing"


def test_what_fails_is_told_and_the_next_one_goes_on() -> None:
    async def scenario() -> None:
        tokenising = Tokenising()
        with pytest.raises(ValueError, match="no text"):
            await tokenising.run(partial(_fail, "no text"), 100)
        assert tokenising.wait_s == 0
        assert await tokenising.run(lambda: "next", 100) == "next"
        tokenising.close()

    asyncio.run(asyncio.wait_for(scenario(), WITHIN_S))


def _fail(why: str) -> None:
    raise ValueError(why)
