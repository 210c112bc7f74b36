"""Which cluster is meant, and what is said where none can be found."""

from pathlib import Path

import pytest

from k8s.connecting import NoClusterError, connect
from tests.k8s.api_server import ApiServer


def test_a_context_has_a_cluster_and_a_namespace(api_server: ApiServer, kubeconfig: Path) -> None:
    api, namespace = connect("stand-in")
    assert (api.configuration.host, namespace) == (api_server.url, "sentiment")
    assert connect(None)[1] == "sentiment"


def test_a_context_that_is_not_there_is_named(kubeconfig: Path) -> None:
    with pytest.raises(NoClusterError, match=r"elsewhere.*kubectl config get-contexts"):
        connect("elsewhere")


@pytest.mark.parametrize("content", [None, "", "{", "[]", "contexts: 1"])
def test_a_file_that_says_nothing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("KUBECONFIG", str(path))
    with pytest.raises(NoClusterError) as error:
        connect(None)
    assert f"no cluster: KUBECONFIG={path}: " in str(error.value)
