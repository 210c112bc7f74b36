"""Whatever answers in place of an MLflow server is told in one sentence, and without secrets."""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bento.mlflow_server import MLflowServer
from bento.package import MODEL_NAME
from bento.registry import open_registry
from bento.versions import RegistryError


@contextmanager
def answering(content: bytes, status: int = 200) -> Iterator[tuple[str, list[str | None]]]:
    """Serve the same answer to all; give the server's host and the authorisations it was sent."""
    authorisations: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            authorisations.append(self.headers["Authorization"])
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}", authorisations
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    "content",
    [
        b"<!doctype html><title>Sign in</title>",
        b"",
        b"\xff",
        b"[]",
        b'{"model_versions": {}}',
        b'{"model_versions": [{}]}',
        b'{"model_versions": [{"version": "../1", "creation_timestamp": 1}]}',
        b'{"model_versions": [{"version": "1", "creation_timestamp": 99999999999999999}]}',
    ],
)
def test_an_answer_that_is_not_mlflows_is_refused(content: bytes) -> None:
    with answering(content) as (host, _):
        registry = MLflowServer(f"http://{host}")
        with pytest.raises(
            RegistryError, match=rf"{host}/.*not what an MLflow server answers.*VALENCE_REGISTRY"
        ):
            registry.versions(MODEL_NAME)


def test_a_refusal_is_told_with_its_status() -> None:
    with answering(b"", 403) as (host, _), pytest.raises(RegistryError, match=f"{host}/api.*answered 403"):
        MLflowServer(f"http://{host}").versions(MODEL_NAME)


def test_user_and_password_are_sent_and_not_told() -> None:
    with answering(b"<html>") as (host, authorisations), pytest.raises(RegistryError) as refused:
        MLflowServer(f"http://user:s3cret@{host}").versions(MODEL_NAME)
    assert authorisations == ["Basic " + base64.b64encode(b"user:s3cret").decode()]
    assert host in str(refused.value)
    assert_untold(refused.value)


def test_a_status_is_told_without_the_password() -> None:
    with answering(b"", 401) as (host, _), pytest.raises(RegistryError, match="401") as refused:
        MLflowServer(f"http://user:s3cret@{host}").versions(MODEL_NAME)
    assert_untold(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "http://user:s3cret@127.0.0.1:9",
        "http://user:s3cret#@127.0.0.1:9",
        "http://user:s3cret@[",
        "postgresql://user:s3cret@host/mlflow",
        "user:s3cret@host",
    ],
)
def test_no_address_is_told_with_its_password(address: str) -> None:
    with pytest.raises(RegistryError) as refused:
        open_registry(address).versions(MODEL_NAME)
    assert_untold(refused.value)


def assert_untold(error: BaseException | None) -> None:
    """Look at what was raised and at all that a traceback would show with it."""
    while error is not None:
        assert "s3cret" not in str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
