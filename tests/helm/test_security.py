"""Every container keeps to Pod Security "restricted", and to a read-only root beyond it."""

import pytest

from tests.helm.chart import CASES, containers, pods, render

WRITABLE = {"tmp": "/tmp", "model": "/model"}  # noqa: S108 - a path in the container


@pytest.mark.parametrize("case", CASES)
def test_every_container_is_restricted(case: str) -> None:
    for pod in pods(render(case)):
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        assert all(set(volume) == {"name", "emptyDir"} for volume in spec.get("volumes", []))
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert all("hostPort" not in port for port in container.get("ports", []))


@pytest.mark.parametrize("case", CASES)
def test_no_pod_holds_a_token_of_the_api_server(case: str) -> None:
    for pod in pods(render(case)):
        assert pod["spec"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize("case", CASES)
def test_a_service_called_valence_brings_no_variables_among_the_settings(case: str) -> None:
    for pod in pods(render(case)):
        assert pod["spec"]["enableServiceLinks"] is False


@pytest.mark.parametrize("case", CASES)
def test_every_container_is_bounded(case: str) -> None:
    for pod in pods(render(case)):
        assert all(volume["emptyDir"]["sizeLimit"] for volume in pod["spec"].get("volumes", []))
        for container in containers(pod):
            for kind in ("requests", "limits"):
                assert set(container["resources"][kind]) == {"cpu", "memory"}


@pytest.mark.parametrize("case", CASES)
def test_only_what_must_be_is_writable(case: str) -> None:
    for pod in pods(render(case)):
        volumes = {volume["name"] for volume in pod["spec"].get("volumes", [])}
        assert volumes <= set(WRITABLE)
        for container in containers(pod):
            mounts = container.get("volumeMounts", [])
            assert {mount["mountPath"] for mount in mounts} <= {WRITABLE[name] for name in volumes}
            read_only = {mount["name"] for mount in mounts if mount.get("readOnly")}
            assert read_only == ({"model"} & volumes if container["name"] == "valence" else set())


@pytest.mark.parametrize("case", CASES)
def test_no_image_floats(case: str) -> None:
    for pod in pods(render(case)):
        for container in containers(pod):
            name, separator, digest = container["image"].partition("@sha256:")
            if separator:
                assert len(digest) == 64
            else:
                assert name.rpartition(":")[2] not in ("", "latest", name)
