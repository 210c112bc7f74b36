"""What `make image` says, and what it does where it cannot build; what it builds is in tests/image."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from scripts import tools
from scripts.engine import ENGINES
from scripts.image import image_tag
from tests.bento.conftest import MakePackage, make_package  # noqa: F401 - a fixture
from tests.helm.chart import run_helm
from tests.image.project import ROOT, copy_project

CERTIFICATE = "arn:aws:acm:eu-west-1:111122223333:certificate/0a1b"
MODEL = {"name": "valence-sentiment", "version": "3", "digest": "sha256:" + "0" * 64}
# Each notes what it is asked for. The probes come first: `info`, and `build --help`.
NOTES = '#!/bin/sh\necho "$1 DOCKER_BUILDKIT=$DOCKER_BUILDKIT" >> "$0.asked"\n'
WILLING = '[ "$1" = inspect ] && echo sha256:base\nexit 0\n'
REFUSING = '[ "$1" = info ] || [ "$2" = --help ] && exit\necho no such base >&2\nexit 125\n'
BROKEN = "exit 1\n"
WITHOUT_BUILDKIT = '[ "$1" = build ] || exit 0\necho the buildx component is missing >&2\nexit 1\n'

Make = Callable[..., subprocess.CompletedProcess[str]]


def install(folder: Path, name: str, behaviour: str) -> None:
    """Put an engine into a folder of programs."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(NOTES + behaviour)
    (folder / name).chmod(0o755)


def asked(folder: Path, name: str) -> list[str]:
    return [line.split()[0] for line in (folder / f"{name}.asked").read_text().splitlines()]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory, make_package: MakePackage) -> str:  # noqa: F811
    return str(make_package(tmp_path_factory.mktemp("package") / "package").path)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """All that is installed: git, and what the test puts there."""
    folder = tmp_path / "programs"
    install(folder, "git", "echo 0123456789\n")
    return folder


@pytest.fixture
def make(tmp_path: Path, programs: Path) -> Make:
    """`make image` in a copy of the project."""
    project = copy_project(tmp_path / "project")

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "scripts.image", *arguments],
            cwd=project,
            env={"PATH": str(programs), "VALENCE_MODEL_VERSION": "3"} | variables,
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    """Where a build leaves what it is made of; here, what one before left."""
    folder = tmp_path / "project" / ".valence" / "image"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "manifest.json").write_text("the one before")
    (folder / "values.yaml").write_text("image: {tag: 2-0a1b2c3d}")
    return folder


def test_make_hands_its_variables_on() -> None:
    named = ["MODEL=models:/m/3", "NAME=example.org/a b", "BASE=python:3", "ENGINE=buildah"]
    told = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "image", *named],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    *_, command = told.stdout.replace("\\\n", "").splitlines()
    assert shlex.split(command) == [
        *(".venv/bin/python", "-m", "scripts.image", "--model", "models:/m/3"),
        *("--name", "example.org/a b", "--base", "python:3", "--engine", "buildah"),
    ]


def test_no_engine_names_the_remedy(make: Make) -> None:
    done = make()
    assert done.returncode == 2
    assert "no docker or podman or buildah works here. Mend it or install another" in done.stderr
    assert [f"{engine} is not installed" in done.stderr for engine in ENGINES] == [True] * 3


def test_an_engine_that_does_not_work_is_no_engine(make: Make, programs: Path) -> None:
    install(programs, "docker", BROKEN)
    assert "docker info: failed without a word" in make().stderr


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_that_is_asked_for_and_not_there_names_the_remedy(
    engine: str, make: Make, programs: Path
) -> None:
    for other in set(ENGINES) - {engine}:
        install(programs, other, WILLING)
    done = make("--engine", engine)
    assert done.returncode == 2
    assert done.stderr.endswith(f"\n  {engine} is not installed\n")
    assert "Traceback" not in done.stderr


def test_docker_without_buildkit_is_told_before_anything_is_built(make: Make, programs: Path) -> None:
    """The Dockerfile mounts a secret, at which docker's older builder stops half-way."""
    install(programs, "docker", WITHOUT_BUILDKIT)
    done = make()
    assert done.returncode == 2
    assert "docker build --help: the buildx component is missing" in done.stderr


def test_another_engine_is_taken_then(package: str, make: Make, programs: Path) -> None:
    install(programs, "docker", WITHOUT_BUILDKIT)
    install(programs, "podman", WILLING)
    assert "with podman" in make("--model", package).stdout
    assert asked(programs, "podman") == ["info", "build", "inspect", "build", "tag"]


def test_docker_is_told_to_build_with_buildkit(package: str, make: Make, programs: Path) -> None:
    """Before version 23 it has it and does not use it."""
    install(programs, "docker", WILLING)
    assert make("--model", package, DOCKER_BUILDKIT="0").returncode == 0
    lines = (programs / "docker.asked").read_text().splitlines()
    assert {line.partition(" ")[2] for line in lines} == {"DOCKER_BUILDKIT=1"}


@pytest.mark.parametrize("name", ["valence", "team/valence", "localhost/valence:dev", "Example.org/valence"])
def test_a_name_that_engines_and_clusters_read_differently_is_refused(name: str, make: Make) -> None:
    done = make("--name", name)
    assert done.returncode == 2
    assert f"'{name}' is no HOST/REPOSITORY without a tag: say registry.example.org/" in done.stderr


@pytest.mark.parametrize("model", ["models:/valence-sentiment@nobody", "/no/such/folder"])
def test_a_model_that_is_not_there_is_told_before_anything_is_built(
    model: str, make: Make, programs: Path, stage: Path
) -> None:
    install(programs, "podman", WILLING)
    done = make("--model", model)
    assert done.returncode == 1
    assert done.stderr.startswith("make: ")
    assert "Traceback" not in done.stderr
    assert asked(programs, "podman") == ["info", "build"], "the probes"
    assert (stage / "model" / "manifest.json").read_text() == "the one before"
    assert [path.name for path in stage.iterdir()] == ["model"], "nobody releases the image before instead"


def test_a_version_that_no_registry_gives_is_refused(package: str, make: Make, programs: Path) -> None:
    install(programs, "podman", WILLING)
    done = make("--model", package, VALENCE_MODEL_VERSION="production")
    assert done.returncode == 2
    assert "name it, VALENCE_MODEL_VERSION=3 make image" in done.stderr


def test_a_tag_names_the_version_and_stays_while_nothing_changes() -> None:
    assert re.fullmatch("3-[0-9a-f]{8}", image_tag(MODEL, "base"))
    assert image_tag(MODEL, "base") == image_tag(dict(MODEL), "base")


def test_no_tag_is_used_for_two_models_or_two_bases() -> None:
    """Two registries may both have a version 3."""
    others = [MODEL, MODEL | {"name": "other"}, MODEL | {"digest": "sha256:" + "1" * 64}]
    tags = [image_tag(each, base) for each in others for base in ("base", "another")]
    assert len(set(tags)) == len(tags)


def test_a_base_that_cannot_be_had_is_told_before_anything_is_built(
    package: str, make: Make, programs: Path
) -> None:
    install(programs, "podman", REFUSING)
    done = make("--model", package)
    assert done.returncode == 125
    assert done.stderr == "no such base\n"
    assert asked(programs, "podman") == ["info", "build", "inspect", "pull"]


@pytest.mark.parametrize(
    ("name", "engine", "words"),
    [
        ("localhost/valence", "docker", "kind load docker-image localhost/valence:3-"),
        ("localhost/other", "podman", "| kind load image-archive /dev/stdin --name valence"),
        ("registry.example.org/team/valence", "docker", "docker push registry.example.org/team/valence:3-"),
        ("127.0.0.1:5000/valence", "buildah", "buildah login 127.0.0.1:5000"),
    ],
)
def test_the_next_commands_are_for_where_the_image_goes(
    name: str, engine: str, words: str, package: str, make: Make, programs: Path, stage: Path
) -> None:
    try:
        tools.helm("4")
    except tools.ToolError as error:
        pytest.skip(f"helm is missing: {error}")
    install(programs, engine, WILLING)
    done = make("--model", package, "--name", name)
    assert done.returncode == 0, done.stderr
    assert words in done.stdout
    assert ("kind" in done.stdout) == name.startswith("localhost/")
    image = yaml.safe_load((stage / "values.yaml").read_text())["image"]
    assert image["repository"] == name
    (command,) = re.findall(r"helm upgrade --install (.*) --wait", joined(done))
    command = command.replace("helm/valence", str(ROOT / "helm/valence"))
    command = command.replace(".valence/image", str(stage))
    mine = ["--set", f"service.aws.certificateArn={CERTIFICATE}"] if "values-eks" in command else []
    assert f"image: {name}:{image['tag']}" in run_helm("4", "template", *command.split(), *mine)


def joined(done: subprocess.CompletedProcess[str]) -> str:
    """Return what it printed, each command on a line of its own."""
    return re.sub(r" \\\n *", " ", done.stdout)
