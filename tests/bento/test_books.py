"""Books: what of a request's texts a line of the log has room for."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PIPE_BUF = 4_096  # what a pipe takes in one piece
CLOSE = """
import json, sys
from bento import logs
from bento.books import Books
from bento.exchange import Exchange
from bento.metrics import Metrics
logs.configure("info")
headers = [(b"x-request-id", b"i" * 128), (b"traceparent", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01")]
exchange = Exchange.begin({"method": "POST", "headers": headers})
exchange.content = json.load(sys.stdin)
exchange.texts, exchange.model_version = len(exchange.content), "v" * 64
Books(Metrics()).close(exchange, "/predict/batch", 200)
"""


def close(content: list[str]) -> bytes:
    """Return the line of a request with everything in it that it can have."""
    return subprocess.run(
        [sys.executable, "-c", CLOSE],
        cwd=Path(__file__).parents[2],
        input=json.dumps(content).encode(),
        capture_output=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("content", [["good", "ça va 😀"], ["good"] * 256, ["g" * 2_996]])
def test_what_has_room_is_there_as_it_is(content: list[str]) -> None:
    assert json.loads(close(content))["content"] == content


@pytest.mark.parametrize(
    "content", [["g" * 10_000], ["😀" * 10_000], ["good"] * 2_000, ["g" * 2_900, "😀" * 200, "good"]]
)
def test_what_has_none_is_cut_so_that_the_line_still_leaves_in_one_piece(content: list[str]) -> None:
    line = close(content)
    assert len(line) <= PIPE_BUF
    logged = json.loads(line)
    *whole, cut = logged["content"]
    assert whole == content[: len(whole)]
    assert cut.endswith("…")
    assert content[len(whole)].startswith(cut.removesuffix("…"))
    assert logged["texts"] == len(content)


def test_without_texts_there_is_no_place_for_them() -> None:
    assert "content" not in json.loads(close([]))
