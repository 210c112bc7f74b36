"""Versions go into production through the gate, and back without; real MLflow, real packages."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.training.packaged import Packaged, make_packaged
from training import registry, tracking
from training.decision import tell
from training.errors import InputError, TrainingError
from training.evaluate_package import ASSESSMENT, LOGGED
from training.predictions import PREDICTIONS
from training.promote import promote, undo
from training.records import MODEL_NAME
from training.rows import Rows

ROOT = Path(__file__).resolve().parents[2]
Publish = Callable[..., str]


@pytest.fixture(scope="module")
def worse(parts: dict[str, Rows], tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    """A package that learnt nothing, as its labels were shuffled."""
    labels = list(parts["train"].labels)
    random.Random(0).shuffle(labels)
    shuffled = {**parts, "train": Rows(parts["train"].texts, labels)}
    return make_packaged(tmp_path_factory.mktemp("worse"), shuffled, run_id="1" * 32)


@pytest.fixture
def client(tmp_path: Path, empty_registry: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    shutil.copy(empty_registry, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    return tracking.open_client()


@pytest.fixture
def publish(client: MlflowClient) -> Publish:
    """Return what makes a version of a package, as often as it is called."""
    made = 0

    def make(one: Packaged, *, evaluated: bool = True) -> str:
        nonlocal made
        made += 1
        with tracking.new_run(client, "tfidf_logreg", "products") as run_id:
            client.log_artifacts(run_id, str(one.package.path), "package")
            if evaluated:
                files = [one.folder / PREDICTIONS, one.folder / ASSESSMENT]
                tracking.log_evaluation(client, run_id, {"test_ece": 0.1}, files, LOGGED)
        digest = f"sha256:{made}"  # each a version of its own
        result = one.result.model_copy(update={"run_id": run_id, "digest": digest})
        return registry.register(client, result, {"params": "{}"}).version

    return make


def test_the_first_version_goes_in_and_its_checks_are_kept(
    client: MlflowClient, publish: Publish, packaged: Packaged
) -> None:
    version = publish(packaged)
    decision, move = promote(client, version)
    assert decision is not None
    assert decision.against is None
    assert decision.allowed
    assert (move.before, move.after) == (None, version)
    assert [check.name for check in decision.checks if not check.passed]
    assert tell(decision)[-1] == "  it goes in all the same, as nothing is there"
    tags = client.get_model_version(MODEL_NAME, version).tags
    assert {"gate", "gate_against", "gate_reasons", "promoted_at", "replaced"} <= set(tags)
    run_id = client.get_model_version(MODEL_NAME, version).run_id
    assert run_id is not None
    kept = client.list_artifacts(run_id, "gate")
    stored = Path(client.download_artifacts(run_id, kept[0].path))
    assert json.loads(stored.read_text()) == json.loads(decision.model_dump_json())


def test_as_good_a_version_replaces_the_one_in_production(
    client: MlflowClient, publish: Publish, packaged: Packaged
) -> None:
    one, two = publish(packaged), publish(packaged)
    promote(client, one)
    decision, move = promote(client, two)
    assert decision is not None
    assert [check for check in decision.checks if check.name in ("macro-F1", "slices") and check.passed]
    assert (move.before, move.after) == (one, two)


def test_a_worse_version_stays_out_and_is_told_why(
    client: MlflowClient, publish: Publish, packaged: Packaged, worse: Packaged
) -> None:
    one, two = publish(packaged), publish(worse)
    promote(client, one)
    decision, move = promote(client, two)
    assert decision is not None
    assert not decision.allowed
    assert (move.before, move.after) == (one, one)
    assert registry.version_at(client, registry.PRODUCTION) == one
    told = "\n".join(tell(decision))
    assert f"gate: version {two} against version {one}" in told
    assert "NO  macro-F1: -" in told
    assert f"--to {two} --force" in told
    tags = client.get_model_version(MODEL_NAME, two).tags
    assert tags["gate"] == "refused"
    assert "macro-F1" in tags["gate_reasons"]
    assert "promoted_at" not in tags


def test_a_release_plan_counts_if_it_is_about_what_is_in_production(
    client: MlflowClient, publish: Publish, packaged: Packaged
) -> None:
    """As `python -m k8s.release VERSION --plan` keeps it with the version."""
    one, two = publish(packaged), publish(packaged)
    promote(client, one)

    def plan(live: str) -> str:
        flips = {"texts": 900, "count": 450, "share": 0.5, "interval": [0.47, 0.53]}
        return json.dumps({"live": {"version": live}, "flips": flips})

    client.set_model_version_tag(MODEL_NAME, two, "valence.release_plan", plan(live=one))
    decision, _ = promote(client, two)
    assert decision is not None
    assert not decision.allowed
    assert "NO  plan: 50.0% (47.0% to 53.0%) of the 900 texts" in "\n".join(tell(decision))
    client.set_model_version_tag(MODEL_NAME, two, "valence.release_plan", plan(live="another"))
    decision, move = promote(client, two)
    assert move.after == two, decision


def test_force_moves_it_and_says_so(
    client: MlflowClient, publish: Publish, packaged: Packaged, worse: Packaged
) -> None:
    one, two = publish(packaged), publish(worse)
    promote(client, one)
    decision, move = promote(client, two, force=True)
    assert decision is not None
    assert decision.forced
    assert move.after == two
    assert client.get_model_version(MODEL_NAME, two).tags["gate"] == "forced"


def test_going_back_is_always_possible(
    client: MlflowClient, publish: Publish, packaged: Packaged, worse: Packaged
) -> None:
    one, two, three = publish(worse), publish(packaged), publish(packaged)
    for version in (one, two, three):
        promote(client, version)
    assert undo(client).after == two
    assert undo(client).after == one
    with pytest.raises(InputError, match=f"version {one} replaced none"):
        undo(client)
    promote(client, two)
    decision, move = promote(client, one)  # worse, but it was there before
    assert (decision, move.after) == (None, one)
    assert registry.explain(move).startswith(f"production: {two} -> {one}; back with: ")


def test_without_anything_in_production_there_is_nothing_to_undo(client: MlflowClient) -> None:
    with pytest.raises(InputError, match="nothing is in production"):
        undo(client)


def test_a_version_that_was_never_evaluated_needs_force(
    client: MlflowClient, publish: Publish, packaged: Packaged
) -> None:
    version = publish(packaged, evaluated=False)
    with pytest.raises(TrainingError, match="no evaluation to judge it by"):
        promote(client, version)
    assert registry.version_at(client, registry.PRODUCTION) is None
    assert promote(client, version, force=True)[1].after == version


def test_one_in_production_that_cannot_be_asked_is_replaced_by_force(
    client: MlflowClient, publish: Publish, packaged: Packaged, tmp_path: Path
) -> None:
    one, two = publish(packaged), publish(packaged)
    promote(client, one)
    run_id = client.get_model_version(MODEL_NAME, one).run_id
    shutil.rmtree(tmp_path / "mlartifacts" / str(run_id) / "artifacts" / "package")
    with pytest.raises(
        TrainingError, match=rf"version {one} in production cannot be asked .*--to {two} --force"
    ):
        promote(client, two)
    assert registry.version_at(client, registry.PRODUCTION) == one
    decision, move = promote(client, two, force=True)
    assert decision is not None
    assert decision.forced
    assert "cannot be asked" in client.get_model_version(MODEL_NAME, two).tags["gate_reasons"]
    assert move.after == two


def test_by_its_command_line(
    client: MlflowClient, publish: Publish, packaged: Packaged, worse: Packaged, tmp_path: Path
) -> None:
    one, two = publish(packaged), publish(worse)
    registry.point(client, registry.STAGING, two)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "training.promote", *words]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    first = run(one)
    assert first.returncode == 0, first.stderr
    assert f"production: none -> {one}" in first.stdout
    assert f"staging: {two}; together with: " in first.stdout
    refused = run()
    assert refused.returncode == 1
    assert "NO  macro-F1" in refused.stdout
    assert f"version {two} stays out of production" in refused.stderr
    assert run("--to", two, "--force").returncode == 0
    back = run("--undo")
    assert f"production: {two} -> {one}" in back.stdout, back.stderr
    wrong = run("99")
    assert wrong.returncode == 2
    assert f"has no version 99; the versions are: {one}, {two}" in wrong.stderr
    assert "Traceback" not in wrong.stderr
