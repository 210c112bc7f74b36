"""What a load comes to, from its answers, and that one that was not as planned is none."""

import json
import math
import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from benchmarks.client import LOST, WRONG, Answer
from benchmarks.load import Job, LoadError, run_load, summarise


class _Positive(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer that all is well."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "24")
        self.end_headers()
        self.wfile.write(b'{"sentiment":"positive"}')

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """Where somebody answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Positive) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("load", [{"concurrency": 2}, {"rate": 500.0}])
def test_a_job_that_runs_out_of_texts_fails(port: int, tmp_path: Path, load: dict[str, float]) -> None:
    words = tmp_path / "words.json"
    words.write_text(json.dumps([f"word{number}" for number in range(99)]))
    few = Job(port, os.getpid(), '{"text":', "}", str(words), (1,), texts=20, warm_s=0.1, seconds=0.9, **load)  # type: ignore[arg-type]

    with pytest.raises(LoadError, match=r"all 20 texts were sent before the 1 s were over.*make more"):
        run_load(few)


def test_answers_become_figures() -> None:
    good = [Answer(10.0, 10.0 + ms / 1e3, 200) for ms in range(1, 101)]
    bad = [Answer(10.0, 10.5, status) for status in (429, 429, 500, LOST, WRONG)]

    load = summarise(good + bad, 2.0, cpu_s=(0.5, 0.1, 0.4), within_s=0.0505)

    assert load.rps == 50
    assert load.useful_rps == 25
    assert round(load.p50_ms, 6) == 50
    assert round(load.p99_ms, 6) == 99
    assert load.refused == 2
    assert load.errors == 3
    assert load.statuses == {"-1": 1, "0": 1, "200": 100, "429": 2, "500": 1}
    assert load.server_cpu_ms_per_request == 5
    assert load.client_cpu_ms_per_request == 1
    assert load.server_cpu_share == 0.25
    assert load.client_cpu_share == 0.05
    assert load.other_cpu_share == 0.2


def test_no_answer_has_no_latency() -> None:
    load = summarise([], 1.0, cpu_s=(0.0, 0.0, 0.0), within_s=1.0)

    assert load.rps == 0
    assert math.isnan(load.p99_ms)
    assert math.isnan(load.server_cpu_ms_per_request)
