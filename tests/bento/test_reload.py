"""`POST /reload`: who may, what is refused and why, and what has changed afterwards."""

import gc
import signal
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from bento.coordinator import change_model
from bento.package import MODEL_NAME, write_package
from bento.registry import Resolved, resolve
from bento.rundir import ModelRef, RunDirectory
from bento.scorer import Scorer

if TYPE_CHECKING:
    from tests.bento.conftest import MakeApp, MakePackage, Registry

TOKEN = "a-token-for-tests"  # noqa: S105
ADMIN = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture(autouse=True)
def _short_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run directories lie where the address of a socket is short."""
    monkeypatch.setattr(tempfile, "tempdir", "/tmp")  # noqa: S108


@pytest.fixture
def start(registry: "Registry", make_app: "MakeApp") -> Callable[..., TestClient]:
    """Start a server of version 1 that may reload, unless the settings say otherwise."""

    def start(**settings: Any) -> TestClient:  # noqa: ANN401
        known = {"admin_token": TOKEN, "registry": registry.uri, "model_version": "1"}
        return TestClient(make_app(registry.packages["1"].path, **known | settings))

    return start


@pytest.fixture
def admin(start: Callable[..., TestClient]) -> Iterator[TestClient]:
    with start() as client:
        client.headers.update(ADMIN)
        yield client


def assert_problem(answer: Any, status: int, *said: str) -> None:  # noqa: ANN401 - of any client
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    detail = answer.json()["detail"]
    assert all(part in detail for part in said), detail
    assert TOKEN not in answer.text


def serving(client: TestClient) -> dict[str, Any]:
    model: dict[str, Any] = client.get("/health").json()["model"]
    return model


@pytest.mark.parametrize("body", [{"version": "2"}, {"alias": "staging"}])
def test_the_model_is_changed(admin: TestClient, registry: "Registry", body: dict[str, str]) -> None:
    first, second = (
        {"name": MODEL_NAME, "version": number, "digest": registry.packages[number].digest}
        for number in ("1", "2")
    )
    answer = admin.post("/reload", json=body)
    assert answer.status_code == 200
    assert answer.json() == {"model": second, "previous": first, "workers": 1}
    assert answer.headers["x-model-version"] == "2"
    assert serving(admin) == second
    prediction = admin.post("/predict", json={"text": "good"})
    assert prediction.json()["model"] == second
    assert prediction.headers["x-model-version"] == "2"
    listed = {one["version"]: one["serving"] for one in admin.get("/models").json()["versions"]}
    assert listed == {"1": False, "2": True, "3": False}


def test_back_and_forth(admin: TestClient) -> None:
    for number in ("2", "1", "2", "1"):
        assert admin.post("/reload", json={"version": number}).json()["model"]["version"] == number
        assert admin.post("/predict", json={"text": "bad"}).json()["model"]["version"] == number


def test_what_is_served_already_is_no_work(admin: TestClient) -> None:
    old = admin.app.state.valence.serving  # type: ignore[attr-defined]
    answer = admin.post("/reload", json={"alias": "production"}).json()
    assert answer["model"] == answer["previous"] == serving(admin)
    assert answer["workers"] == 1
    assert admin.app.state.valence.serving is old  # type: ignore[attr-defined]


def test_without_a_token_set_it_is_off(start: Callable[..., TestClient]) -> None:
    with start(admin_token=None) as client:
        answer = client.post("/reload", json={"version": "2"}, headers=ADMIN)
        assert_problem(answer, 403, "VALENCE_ADMIN_TOKEN")


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer \xff"],
)
def test_without_the_token_nothing_is_told(
    start: Callable[..., TestClient], given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even whether the model is pinned or the body any good."""
    with start(model_digest=None) as client:
        answer = client.post("/reload", content=b"{", headers={b"authorization": given.encode("latin-1")})
        assert_problem(answer, 401, "Authorization: Bearer")
        assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert TOKEN not in "".join(capsys.readouterr())


def test_where_the_model_is_pinned_the_release_is_named(
    start: Callable[..., TestClient], registry: "Registry"
) -> None:
    with start(model_digest=registry.packages["1"].digest) as client:
        assert_problem(client.post("/reload", json={"version": "2"}), 401)
        answer = client.post("/reload", json={"version": "2"}, headers=ADMIN)
        assert_problem(answer, 409, "pinned", "helm upgrade", "--set model.version=")


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 400),
        (b"{}", 422),
        (b'{"version": 2}', 422),
        (b'{"version": ""}', 422),
        (b'{"version": null}', 422),
        (b'{"version": "0"}', 422),
        (b'{"version": "2", "alias": "staging"}', 422),
        (b'{"version": "../2"}', 422),
        (b'{"alias": "a/../b"}', 422),
        (b'{"alias": "staging\\n"}', 422),
        (b'{"path": "/etc"}', 422),
        (b'{"version": "http://example.org/"}', 422),
        (b" " * 2_000_000, 413),
    ],
)
def test_a_body_that_names_no_version_is_refused(admin: TestClient, content: bytes, status: int) -> None:
    answer = admin.post("/reload", content=content, headers={"content-type": "application/json"})
    assert_problem(answer, status)


def test_a_body_that_is_not_declared_as_json_is_refused(admin: TestClient) -> None:
    assert_problem(admin.post("/reload", content=b'{"version": "2"}'), 415)


@pytest.mark.parametrize("body", [{"version": "99"}, {"alias": "canary"}])
def test_what_the_registry_does_not_have_is_not_found(admin: TestClient, body: dict[str, str]) -> None:
    assert_problem(admin.post("/reload", json=body), 404, "which has 3, 2 @staging, 1 @production")


@pytest.mark.parametrize("registry_uri", ["sqlite:////nowhere/mlflow.db", "http://127.0.0.1:9"])
def test_a_registry_that_does_not_answer_is_said(start: Callable[..., TestClient], registry_uri: str) -> None:
    with start(registry=registry_uri) as client:
        assert_problem(client.post("/reload", json={"version": "2"}, headers=ADMIN), 502, "registry")
        assert serving(client)["version"] == "1"


def test_a_package_that_computes_wrongly_is_refused_and_the_old_one_serves_on(admin: TestClient) -> None:
    before = serving(admin)
    answer = admin.post("/reload", json={"version": "3"})
    assert_problem(answer, 409, "canary text", "version 1", before["digest"], "serves on")
    assert answer.headers["x-model-version"] == "1"
    assert serving(admin) == before
    assert admin.post("/predict", json={"text": "good"}).json()["model"] == before


def test_a_package_that_is_gone_is_refused(admin: TestClient, registry: "Registry") -> None:
    stored = registry.stored("2")
    hidden = stored.with_name("hidden")
    stored.rename(hidden)
    try:
        assert_problem(admin.post("/reload", json={"version": "2"}), 409, "nothing has changed")
    finally:
        hidden.rename(stored)


def test_one_at_a_time(admin: TestClient) -> None:
    run = admin.app.state.valence.run  # type: ignore[attr-defined]
    with RunDirectory(run.path).alone():
        assert_problem(admin.post("/reload", json={"version": "2"}), 409, "under way", "version 1")
    assert admin.post("/reload", json={"version": "2"}).status_code == 200


def test_a_missing_worker_is_waited_for(admin: TestClient) -> None:
    admin.app.state.valence.workers = 2  # type: ignore[attr-defined]
    answer = admin.post("/reload", json={"version": "2"})
    assert_problem(answer, 503, "1 of 2 workers", "serves on")
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("fault", ["the pointer cannot be written", "the directory is gone"])
def test_a_change_that_cannot_be_written_has_not_happened(
    admin: TestClient, registry: "Registry", fault: str
) -> None:
    run: Path = admin.app.state.valence.run.path  # type: ignore[attr-defined]
    aside, blocker = run.with_name(f"{run.name}-aside"), run / "model.json.new"
    before = serving(admin)
    if fault == "the directory is gone":
        run.rename(aside)
    else:
        blocker.mkdir()
    try:
        answer = admin.post("/reload", json={"version": "2"})
    finally:
        if fault == "the directory is gone":
            aside.rename(run)
        else:
            blocker.rmdir()
    assert_problem(answer, 503, "directory", "version 1", before["digest"], "serves on")
    assert str(run) not in answer.text
    assert serving(admin) == before
    assert admin.post("/reload", json={"version": "2"}).json()["workers"] == 1


@pytest.mark.parametrize("wanted", ["1", "2"])
def test_a_change_that_comes_meanwhile_is_what_was_before(
    admin: TestClient, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    """Another caller changes version 1 for 2, while a first one waits for the registry."""

    def resolve_late(reference: str, registry: str, cache_dir: Path) -> Resolved:
        found = resolve(reference, registry, cache_dir)
        monkeypatch.setattr("bento.reload.resolve", resolve)
        assert admin.post("/reload", json={"version": "2"}).json()["previous"]["version"] == "1"
        return found

    monkeypatch.setattr("bento.reload.resolve", resolve_late)
    answer = admin.post("/reload", json={"version": wanted})
    assert answer.json()["previous"]["version"] == "2"
    assert answer.json()["model"]["version"] == answer.headers["x-model-version"] == wanted
    assert serving(admin)["version"] == wanted


def test_what_has_happened_is_said_although_the_server_has_gone_meanwhile(
    admin: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = admin.app.state.valence  # type: ignore[attr-defined]

    async def change_and_close(run: RunDirectory, choice: ModelRef, *, workers: int) -> int:
        switched = await change_model(run, choice, workers=workers)
        await server.close()
        return switched

    monkeypatch.setattr("bento.reload.change_model", change_and_close)
    answer = admin.post("/reload", json={"version": "2"})
    assert answer.json()["model"]["version"] == answer.headers["x-model-version"] == "2"


def test_a_switch_that_fails_once_it_is_committed_ends_the_worker_and_not_its_answers(
    admin: TestClient, registry: "Registry", monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        ended.append(number)

    tell = admin.app.state.valence.metrics.set  # type: ignore[attr-defined]

    def fail(name: str, value: float, *labels: str) -> None:
        if name == "valence_model_info":
            raise OSError
        tell(name, value, *labels)

    handler = signal.signal(signal.SIGTERM, note)
    try:
        monkeypatch.setattr(admin.app.state.valence.metrics, "set", fail)  # type: ignore[attr-defined]
        answer = admin.post("/reload", json={"version": "2"})
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert answer.status_code == 200
    assert answer.json()["workers"] == 0
    assert ended == [signal.SIGTERM]
    assert serving(admin)["digest"] == registry.packages["2"].digest
    prediction = admin.post("/predict", json={"text": "good"}).json()
    assert prediction["model"]["version"] == "2"


def test_a_first_model_that_cannot_be_warmed_up_is_refused(
    make_app: "MakeApp", make_package: "MakePackage", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where memory runs out after the canary texts were scored: they fail, and nobody looked before."""
    package = make_package(tmp_path / "package", poison=["arsenic"])
    first, *others = package.manifest.canaries
    canaries = (first.model_copy(update={"text": "arsenic"}), *others)
    manifest = package.manifest.model_copy(update={"canaries": canaries})
    write_package(package.path, manifest, tokenizer=package.tokenizer, graph=package.graph)
    monkeypatch.setattr(Scorer, "check", lambda _: None)
    with TestClient(make_app(package.path)) as client:
        assert client.app.state.valence.refused  # type: ignore[attr-defined]
        assert client.get("/readyz").status_code == 503


def test_demand_outlasts_the_change(admin: TestClient) -> None:
    server = admin.app.state.valence  # type: ignore[attr-defined]
    assert server.serving.runner.capacity.used_ratio(time.perf_counter()) == 0, "warming up is no demand"
    server.serving.runner.capacity.ask(1_000_000, time.perf_counter() + 3_600)  # so that it is not forgotten
    admin.post("/reload", json={"version": "2"})
    assert server.serving.runner.capacity.used_ratio(time.perf_counter()) > 0


def test_before_the_model_is_there_nothing_can_be_changed(start: Callable[..., TestClient]) -> None:
    answer = start().post("/reload", json={"version": "2"}, headers=ADMIN)  # its lifespan has not begun
    assert_problem(answer, 503)


def test_metrics_tell_of_the_new_model_alone(admin: TestClient, registry: "Registry") -> None:
    def gauges(name: str, *labels: str) -> dict[tuple[str, ...], float]:
        families = text_string_to_metric_families(admin.get("/metrics").text)
        return {
            tuple(sample.labels[label] for label in labels): sample.value
            for family in families
            for sample in family.samples
            if sample.name == name
        }

    def sentiments(version: str) -> dict[str, float]:
        shares = gauges("valence_reference_ratio", "model_version", "feature", "bucket")
        return {
            bucket: share
            for (of, feature, bucket), share in shares.items()
            if (of, feature) == (version, "sentiment")
        }

    three, two = (registry.packages[version].manifest.labels for version in ("1", "2"))
    assert gauges("valence_model_info", "version") == {("1",): 1}
    assert sentiments("1") == dict.fromkeys(three, pytest.approx(1 / 3))
    admin.post("/reload", json={"version": "2"})
    assert gauges("valence_model_info", "version") == {("1",): 0, ("2",): 1}
    assert sentiments("1") == dict.fromkeys(three, 0)
    assert sentiments("2") == dict.fromkeys(two, 0.5)
    admin.post("/reload", json={"version": "1"})
    assert gauges("valence_model_info", "version") == {("1",): 1, ("2",): 0}
    assert sentiments("1") == dict.fromkeys(three, pytest.approx(1 / 3))
    assert sentiments("2") == dict.fromkeys(two, 0)


def test_the_run_directory_is_there_where_it_is_needed_and_goes(start: Callable[..., TestClient]) -> None:
    with start() as client:
        run = client.app.state.valence.run  # type: ignore[attr-defined]
        assert len(run.sockets()) == 1
    assert not run.path.exists()
    with start(admin_token=None) as client:
        assert client.app.state.valence.run is None  # type: ignore[attr-defined]


def test_the_memory_of_the_old_model_is_free_without_the_garbage_collector(admin: TestClient) -> None:
    server = admin.app.state.valence  # type: ignore[attr-defined]
    old = weakref.ref(server.serving)
    admin.post("/predict", json={"text": "good"})
    gc.disable()
    try:
        admin.post("/reload", json={"version": "2"})
        admin.post("/predict", json={"text": "good"})
        assert old() is None
    finally:
        gc.enable()


def test_a_request_that_meets_the_change_is_answered(admin: TestClient) -> None:
    """Four callers predict without end while the model changes; nobody is turned away."""
    stop = False

    def call() -> set[int]:
        codes = set()
        while not stop:
            codes.add(admin.post("/predict/batch", json={"texts": ["good", "bad"] * 20}).status_code)
        return codes

    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(call) for _ in range(4)]
        try:
            for number in ("2", "1") * 5:
                assert admin.post("/reload", json={"version": number}).status_code == 200
        finally:
            stop = True
        assert {code for one in calls for code in one.result()} == {200}
