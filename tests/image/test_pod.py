"""The pod that the chart makes, its containers run as a kubelet would run them: fetch, serve, `helm test`."""

import json
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.bento.conftest import Registry
from tests.helm import chart
from tests.image.conftest import NAME, Image
from tests.image.containers import podman, serving, try_podman

VERSION = "1"

Object = dict[str, Any]


@pytest.fixture(scope="module")
def objects(image: Image, registry: Registry) -> list[Object]:
    """The chart, with the image that was built and a model that comes from the registry."""
    return chart.render(
        "local",
        {
            "image.repository": NAME,
            "image.tag": image.values["image"]["tag"],
            "model.source": "registry",
            "model.version": VERSION,
            "model.digest": registry.packages[VERSION].digest,
            "model.registrySecret.name": "mlflow",
            "service.port": 3000,  # that of the pod, as nothing here translates ports
        },
    )


@pytest.fixture(scope="module")
def pod(objects: list[Object]) -> Object:
    found: Object = chart.workload(objects)["spec"]["template"]
    return found


@pytest.fixture(scope="module")
def volume() -> Iterator[str]:
    """What an emptyDir is to a pod."""
    name = podman("volume", "create", f"valence-test-{uuid.uuid4().hex}").strip()
    yield name
    podman("volume", "rm", "--force", name)


def as_kubelet(pod: Object, container: Object, volume: str, registry: Registry) -> list[str]:
    """Return podman's options for a container of a pod; the volume `model` is given, `tmp` is a new one."""
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"]
    assert not security["allowPrivilegeEscalation"]
    owner = pod["spec"]["securityContext"]
    limits = container["resources"]["limits"]
    options = ["--read-only", "--security-opt=no-new-privileges"]
    options += [f"--user={owner['runAsUser']}:{owner['runAsGroup']}", f"--cpus={cpus(limits['cpu'])}"]
    options += [f"--cap-drop={capability}" for capability in security["capabilities"]["drop"]]
    options += [f"--memory={limits['memory'].removesuffix('i').lower()}"]
    for mount in container.get("volumeMounts", []):
        if mount["name"] == "tmp":
            options.append(f"--tmpfs={mount['mountPath']}")
        else:
            mode = "ro" if mount.get("readOnly") else "U"  # its owner is the user, as fsGroup sees to
            options.append(f"--volume={volume}:{mount['mountPath']}:{mode}")
    for name, value in chart.environment(container).items():
        options.append(f"--env={name}={value if isinstance(value, str) else registry.uri}")
    if any(not isinstance(value, str) for value in chart.environment(container).values()):
        registry.home.chmod(0o755)
        options.append(f"--volume={registry.home}:{registry.home}:ro")
    if command := container.get("command"):
        options.append(f"--entrypoint={json.dumps(command)}")
    return options


def cpus(quantity: str) -> float:
    return int(quantity.removesuffix("m")) / 1000 if quantity.endswith("m") else float(quantity)


@pytest.fixture(scope="module")
def fetched(pod: Object, volume: str, registry: Registry) -> subprocess.CompletedProcess[str]:
    """What came of the init container."""
    (fetch,) = pod["spec"]["initContainers"]
    return try_podman(
        "run", "--rm", *as_kubelet(pod, fetch, volume, registry), fetch["image"], *fetch["args"]
    )


@pytest.fixture(scope="module")
def running(
    fetched: subprocess.CompletedProcess[str], pod: Object, volume: str, registry: Registry
) -> Iterator[tuple[str, str]]:
    (server,) = pod["spec"]["containers"]
    options = as_kubelet(pod, server, volume, registry)
    with serving(*options, "--add-host=valence:127.0.0.1", server["image"]) as found:
        yield found


def test_the_init_container_fetches_the_model(
    fetched: subprocess.CompletedProcess[str], registry: Registry
) -> None:
    assert fetched.returncode == 0, fetched.stderr
    assert fetched.stdout == f"/model/package: {registry.packages[VERSION].digest}\n"


def test_the_server_serves_what_was_fetched(running: tuple[str, str], registry: Registry) -> None:
    answer = httpx.post(f"{running[1]}/predict", json={"text": "an awful film"}, timeout=30).json()
    assert answer["sentiment"] == "negative"
    assert answer["model"]["version"] == VERSION
    assert answer["model"]["digest"] == registry.packages[VERSION].digest


def test_another_model_than_the_pinned_one_never_reaches_the_server(
    pod: Object, volume: str, registry: Registry
) -> None:
    (fetch,) = pod["spec"]["initContainers"]
    reference, _, *others = fetch["args"]
    other = reference.replace(f"/{VERSION}", "/2")
    options = as_kubelet(pod, fetch, volume, registry)
    done = try_podman("run", "--rm", *options, fetch["image"], other, "/model/other", *others)
    assert done.returncode == 1
    assert f"not the required {registry.packages[VERSION].digest}" in done.stderr


def run_helm_test(
    objects: list[Object], server: str, registry: Registry, *arguments: str
) -> subprocess.CompletedProcess[str]:
    test = chart.find(objects, "Pod")
    (predict,) = test["spec"]["containers"]
    options = [*as_kubelet(test, predict, "", registry), f"--network=container:{server}"]
    script, url, digest = predict["args"]
    return try_podman("run", "--rm", *options, predict["image"], script, url, *(arguments or [digest]))


def test_helm_test_passes_on_the_models_answer(
    objects: list[Object], running: tuple[str, str], registry: Registry
) -> None:
    done = run_helm_test(objects, running[0], registry)
    assert done.returncode == 0, done.stderr
    assert '"sentiment"' in done.stdout


def test_helm_test_fails_when_another_model_answers(
    objects: list[Object], running: tuple[str, str], registry: Registry
) -> None:
    done = run_helm_test(objects, running[0], registry, "sha256:" + "0" * 64)
    assert done.returncode == 1
    assert "which this release pins" in done.stderr
