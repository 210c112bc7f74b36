"""Serving reads what MLflow wrote, by its file and by its server, without the mlflow package."""

import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from mlflow import MlflowClient

from bento.package import MODEL_NAME, Package, read_package
from bento.registry import RegistryError, open_registry, resolve
from bento.versions import LISTED

START_WITHIN_S = 180  # the end of what hangs; on a busy machine it takes more than a minute


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture(scope="module")
def packages(home: Path, make_package: Callable[..., Package]) -> list[Package]:
    """Two versions in a real MLflow registry; the first is in production, the second staged."""
    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    experiment = client.create_experiment("valence", artifact_location=(home / "artifacts").as_uri())
    client.create_registered_model(MODEL_NAME)
    made = []
    for number, alias in enumerate(["production", "staging"], start=1):
        run = client.create_run(experiment).info.run_id
        package = make_package(home / f"made-{number}", run_id=run)
        client.log_artifacts(run, str(package.path), "package")
        client.log_metric(run, "macro_f1", number / 10)
        client.set_terminated(run)
        client.create_model_version(
            MODEL_NAME, f"runs:/{run}/package", run_id=run, tags={"digest": package.digest}
        )
        client.set_registered_model_alias(MODEL_NAME, alias, str(number))
        made.append(package)
    return made


@pytest.fixture(scope="module")
def many(home: Path, packages: list[Package]) -> str:
    """A model with two versions more than are listed; the first has an alias."""
    client, name = MlflowClient(f"sqlite:///{home / 'mlflow.db'}"), "valence-many"
    client.create_registered_model(name)
    run = packages[0].manifest.run_id
    for _ in range(LISTED + 2):
        client.create_model_version(name, f"runs:/{run}/package", run_id=run)
    client.set_registered_model_alias(name, "oldest", "1")
    return name


@pytest.fixture(scope="module")
def file_uri(home: Path, packages: list[Package]) -> str:
    return f"sqlite:///{home / 'mlflow.db'}"


@pytest.fixture(scope="module")
def server_uri(file_uri: str, home: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    options = ["--workers", "1", "--backend-store-uri", file_uri, "--artifacts-destination", str(home / "x")]
    server = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_WITHIN_S
        while True:
            try:
                httpx.get(f"{address}/health").raise_for_status()
                break
            except httpx.HTTPError:
                assert server.poll() is None, "the MLflow server ended"
                assert time.monotonic() < deadline, "the MLflow server did not start"
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait(START_WITHIN_S)


@pytest.fixture(params=["file_uri", "server_uri"])
def uri(request: pytest.FixtureRequest) -> str:
    address: str = request.getfixturevalue(request.param)
    return address


@contextmanager
def passing_on(server: str, seen: Callable[[str], None]) -> Iterator[str]:
    """Stand before a server, and call `seen` with each request's address first."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen(self.path)
            length = int(self.headers.get("Content-Length", 0))
            answer = httpx.request(
                self.command,
                server + self.path,
                content=self.rfile.read(length),
                headers={"Content-Type": self.headers.get("Content-Type", "")},
            )
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as front:
        thread = threading.Thread(target=front.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{front.server_port}"
        finally:
            front.shutdown()
            thread.join()


def test_lists_versions_newest_first_with_aliases_metrics_and_tags(uri: str, packages: list[Package]) -> None:
    versions = open_registry(uri).versions(MODEL_NAME)
    assert [(version.version, version.aliases) for version in versions] == [
        ("2", ("staging",)),
        ("1", ("production",)),
    ]
    assert [version.digest for version in versions] == [package.digest for package in reversed(packages)]
    assert versions[0].metrics == {"macro_f1": 0.2}
    assert versions[0].run_id == packages[1].manifest.run_id


@pytest.mark.parametrize(("reference", "number"), [("@production", 1), ("@staging", 2), ("/2", 2)])
def test_resolves_a_reference_to_the_very_package(
    uri: str, packages: list[Package], tmp_path: Path, reference: str, number: int
) -> None:
    found = resolve(f"models:/{MODEL_NAME}{reference}", uri, tmp_path)
    assert found.version == str(number)
    assert read_package(found.path).digest == packages[number - 1].digest


def test_a_download_is_kept(server_uri: str, tmp_path: Path) -> None:
    first = resolve(f"models:/{MODEL_NAME}/1", server_uri, tmp_path)
    manifest = first.path / "manifest.json"
    written = manifest.stat().st_mtime_ns
    assert resolve(f"models:/{MODEL_NAME}/1", server_uri, tmp_path) == first
    assert manifest.stat().st_mtime_ns == written


def test_a_damaged_download_is_refused_and_not_kept(
    server_uri: str, home: Path, packages: list[Package], tmp_path: Path
) -> None:
    graph = next(home.glob(f"artifacts/{packages[1].manifest.run_id}/artifacts/package/model.onnx"))
    content = graph.read_bytes()
    graph.write_bytes(content[:-1])
    try:
        with pytest.raises(RegistryError, match="not what the manifest says"):
            resolve(f"models:/{MODEL_NAME}/2", server_uri, tmp_path)
    finally:
        graph.write_bytes(content)
    assert list((tmp_path / MODEL_NAME).iterdir()) == []


def test_a_damaged_cache_is_not_trusted(server_uri: str, packages: list[Package], tmp_path: Path) -> None:
    found = resolve(f"models:/{MODEL_NAME}/1", server_uri, tmp_path)
    (found.path / "model.onnx").write_bytes(b"cut off")
    assert resolve(f"models:/{MODEL_NAME}/1", server_uri, tmp_path) == found
    assert read_package(found.path).digest == packages[0].digest


def test_another_package_in_the_cache_is_not_trusted(
    server_uri: str, packages: list[Package], tmp_path: Path
) -> None:
    found = resolve(f"models:/{MODEL_NAME}/1", server_uri, tmp_path)
    shutil.rmtree(found.path)
    shutil.copytree(packages[1].path, found.path)
    assert resolve(f"models:/{MODEL_NAME}/1", server_uri, tmp_path) == found
    assert read_package(found.path).digest == packages[0].digest


def test_two_that_download_at_once_share_one_result(
    server_uri: str, packages: list[Package], tmp_path: Path
) -> None:
    together = threading.Barrier(2, timeout=START_WITHIN_S)

    def wait_for_the_other(path: str) -> None:
        if path.endswith("manifest.json"):
            together.wait()

    with (
        passing_on(server_uri, wait_for_the_other) as address,
        ThreadPoolExecutor(2) as pool,
    ):
        tasks = [pool.submit(resolve, f"models:/{MODEL_NAME}/1", address, tmp_path) for _ in range(2)]
        first, second = (task.result() for task in tasks)
    assert first == second
    assert read_package(first.path).digest == packages[0].digest
    assert list((tmp_path / MODEL_NAME).iterdir()) == [first.path]


def test_a_cache_that_cannot_be_written_is_named(server_uri: str, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.write_text("a file where a folder is wanted")
    with pytest.raises(RegistryError, match=r"cache: cannot keep .* set VALENCE_CACHE_DIR"):
        resolve(f"models:/{MODEL_NAME}/1", server_uri, cache)


def test_lists_the_newest_versions_only_and_finds_the_old_ones(uri: str, many: str, tmp_path: Path) -> None:
    listed = open_registry(uri).versions(many)
    assert [version.version for version in listed] == [str(number) for number in range(LISTED + 2, 2, -1)]
    assert all(version.metrics == {"macro_f1": 0.1} for version in listed)
    assert resolve(f"models:/{many}@oldest", uri, tmp_path).version == "1"
    assert resolve(f"models:/{many}/2", uri, tmp_path).version == "2"


def test_a_listing_takes_few_calls_however_many_versions_there_are(server_uri: str, many: str) -> None:
    calls: list[str] = []
    with passing_on(server_uri, calls.append) as address:
        assert len(open_registry(address).versions(many)) == LISTED
    assert len(calls) == 4


def test_an_unknown_version_or_alias_names_what_there_is(uri: str, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="which has 2 @staging, 1 @production"):
        resolve(f"models:/{MODEL_NAME}@canary", uri, tmp_path)
    with pytest.raises(RegistryError, match="no version of that model"):
        resolve("models:/another/1", uri, tmp_path)


@pytest.mark.parametrize(
    "model", ["models:/x", "models:/../x@y", "models:/../1", "models:/x/0", "models:/x@a/b", "http://x"]
)
def test_a_malformed_reference_is_refused(file_uri: str, tmp_path: Path, model: str) -> None:
    with pytest.raises(RegistryError, match="expected"):
        resolve(model, file_uri, tmp_path)


def test_a_directory_is_taken_as_it_is(package_dir: Path, tmp_path: Path) -> None:
    found = resolve(str(package_dir), "sqlite:///not-even-looked-at.db", tmp_path)
    assert (found.path, found.version) == (package_dir, None)


def test_a_missing_registry_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="'make train' makes one"):
        open_registry(f"sqlite:///{tmp_path / 'none.db'}").versions(MODEL_NAME)


def test_a_server_that_does_not_answer_is_named() -> None:
    with pytest.raises(RegistryError, match="does not answer"):
        open_registry("http://127.0.0.1:9").versions(MODEL_NAME)


def test_another_kind_of_address_is_refused() -> None:
    with pytest.raises(RegistryError, match="expected sqlite"):
        open_registry("postgresql://localhost/mlflow")
