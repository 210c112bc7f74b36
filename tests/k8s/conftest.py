"""A Kubernetes API server for each test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.k8s.api_server import ApiServer, running


@pytest.fixture
def api_server() -> Iterator[ApiServer]:
    """A stand-in for a cluster, empty but for the namespace `sentiment`."""
    with running() as server:
        server.store.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "sentiment"}})
        yield server


@pytest.fixture
def kubeconfig(api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that names the stand-in and the namespace `sentiment`; `KUBECONFIG` names the file."""
    path = api_server.write_kubeconfig(tmp_path / "kubeconfig")
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path
