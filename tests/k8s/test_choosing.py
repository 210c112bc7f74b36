"""Which model is meant, by a registry and by what `make image` wrote."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from bento.package import Package
from tests.bento.conftest import Registry, make_package, registry
from tests.k8s.conftest import Valence

__all__ = ["make_package", "registry"]  # fixtures


def answer_as(valence: Valence, package: Package) -> None:
    """Let pods score canary texts as a package says, and nothing else of interest."""
    labels = [str(label) for label in package.manifest.labels]
    canaries = {
        each.text: {str(label): score for label, score in each.scores.items()}
        for each in package.manifest.canaries
    }
    even = dict.fromkeys(labels, 1 / len(labels))
    valence.cluster.pods.score = lambda text: canaries.get(text, even)


@pytest.fixture
def fetching(
    valence: Valence, registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Valence:
    """Valence whose pods fetch their model; `VALENCE_REGISTRY` names three versions."""
    monkeypatch.setenv("VALENCE_REGISTRY", registry.uri)
    monkeypatch.setenv("VALENCE_CACHE_DIR", str(tmp_path / "cache"))
    sets = ("--set", "model.source=registry,model.registry=http://mlflow.example:5000")
    valence.helm("upgrade", "valence", str(valence.chart), "--values", valence.values("1"), *sets)
    valence.await_rollout("1")
    return valence


def test_an_alias_becomes_a_version_and_a_digest(fetching: Valence, registry: Registry) -> None:
    answer_as(fetching, registry.packages["2"])
    answer = fetching.release("staging", "--bake", "0")
    assert answer.code == 0, answer.said
    values = json.loads(fetching.helm("get", "values", "valence", "--output", "json"))["model"]
    assert (values["version"], values["digest"]) == ("2", registry.packages["2"].digest)
    assert values["source"] == "registry"
    assert "108 predictions" in answer.said  # 3 pods: one alone, 3 of ours and 32 canary texts
    assert "no canary texts" not in answer.said
    status = fetching.release("status")
    assert status.code == 5
    assert "the registry's production is valence-sentiment 1" in status.said
    assert "`python -m training.promote --to 2`" in status.said


def test_other_scores_than_the_packages_undo_the_release(fetching: Valence, registry: Registry) -> None:
    answer_as(fetching, registry.packages["1"])
    answer = fetching.release("2", "--bake", "0")
    assert answer.code == 1
    assert "canary text" in answer.said
    assert "away from its package (allowed 0.02)" in answer.said
    assert fetching.serving == {"1"}


def test_a_version_that_the_registry_does_not_have_is_refused(fetching: Valence) -> None:
    answer = fetching.release("17", "--bake", "0")
    assert answer.code == 2
    assert "models:/valence-sentiment/17: not in the registry" in answer.said


def test_an_image_that_brings_its_model_must_be_built_first(
    valence: Valence, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VALENCE_REGISTRY", registry.uri)
    answer = valence.release("2", "--bake", "0")
    assert answer.code == 2
    assert "make image MODEL=models:/valence-sentiment/2" in answer.said


def test_values_that_the_registry_contradicts_are_refused(
    valence: Valence, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VALENCE_REGISTRY", registry.uri)
    answer = valence.release("2", "--values", valence.values("2"), "--bake", "0")
    assert answer.code == 2
    assert "and the registry says that 2 is valence-sentiment 2" in answer.said


def test_a_file_that_holds_no_values_is_named(valence: Valence, tmp_path: Path) -> None:
    path = tmp_path / "values.yaml"
    for content in ("", "[1]", "model: 12", "{", "caf\xe9: 1"):
        path.write_bytes(content.encode("latin-1"))
        answer = valence.release("2", "--values", str(path), "--bake", "0")
        assert answer.code == 2
        said = "not YAML" if content in ("{", "caf\xe9: 1") else "no values of the chart"
        assert f"{path}: {said}" in answer.said


def test_the_package_that_make_image_left_gives_the_canary_texts(
    valence: Valence, registry: Registry, tmp_path: Path
) -> None:
    package = registry.packages["2"]
    stage = tmp_path / "image"
    shutil.copytree(package.path, stage / "model")
    values = yaml.safe_load(Path(valence.values("2")).read_text())
    values["model"]["digest"] = package.digest
    (stage / "values.yaml").write_text(yaml.safe_dump(values))
    answer_as(valence, package)
    answer = valence.release("2", "--values", str(stage / "values.yaml"), "--bake", "0")
    assert answer.code == 0, answer.said
    assert "108 predictions" in answer.said
