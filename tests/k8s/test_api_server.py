"""The stand-in for Kubernetes answers the official client as a real API server does."""

import ssl
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException

from tests.k8s.api_server import ApiServer

NAMESPACE = "sentiment"


def pod(name: str, **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {"containers": [{"name": "valence", "image": "valence:1"}]},
    }


@pytest.fixture
def core(kubeconfig: Path) -> client.CoreV1Api:
    return client.CoreV1Api(config.new_client_from_config(str(kubeconfig)))


def test_objects_are_listed_by_label(api_server: ApiServer, core: client.CoreV1Api) -> None:
    api_server.store.create(pod("one", app="a"))
    api_server.store.create(pod("two", app="b"))
    found = core.list_namespaced_pod(NAMESPACE, label_selector="app in (b, c)")
    assert [each.metadata.name for each in found.items] == ["two"]


def test_a_watch_goes_on_where_a_list_ended(api_server: ApiServer, core: client.CoreV1Api) -> None:
    api_server.store.create(pod("one"))
    listed = core.list_namespaced_pod(NAMESPACE)
    seen: list[tuple[str, str]] = []

    def follow() -> None:
        stream = watch.Watch()
        at = listed.metadata.resource_version
        for event in stream.stream(core.list_namespaced_pod, NAMESPACE, resource_version=at):
            seen.append((event["type"], event["object"].metadata.name))
            if len(seen) == 2:
                stream.stop()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    core.create_namespaced_pod(NAMESPACE, pod("two"))
    core.delete_namespaced_pod("one", NAMESPACE)
    thread.join(30)
    assert seen == [("ADDED", "two"), ("DELETED", "one")]


def test_a_watch_from_too_far_back_is_gone(api_server: ApiServer, core: client.CoreV1Api) -> None:
    api_server.store.create(pod("one"))
    api_server.store.compact()
    with pytest.raises(ApiException) as refused:
        list(watch.Watch().stream(core.list_namespaced_pod, NAMESPACE, resource_version="5"))
    assert refused.value.status == 410


def test_a_write_on_an_old_revision_conflicts(api_server: ApiServer, core: client.CoreV1Api) -> None:
    old = api_server.store.create(pod("one"))["metadata"]["resourceVersion"]
    core.patch_namespaced_pod("one", NAMESPACE, {"metadata": {"labels": {"app": "a"}}})
    with pytest.raises(ApiException) as refused:
        core.patch_namespaced_pod(
            "one", NAMESPACE, {"metadata": {"resourceVersion": old, "labels": {"app": "b"}}}
        )
    assert refused.value.status == 409


def test_rbac_is_kept(api_server: ApiServer, core: client.CoreV1Api) -> None:
    api_server.store.create(pod("one"))
    api_server.rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    core.read_namespaced_pod("one", NAMESPACE)
    with pytest.raises(ApiException) as refused:
        core.list_namespaced_pod(NAMESPACE)
    assert refused.value.status == 403
    assert [(call.verb, call.resource) for call in api_server.calls] == [("get", "pods"), ("list", "pods")]


def test_calls_are_refused_or_delayed_on_demand(api_server: ApiServer, core: client.CoreV1Api) -> None:
    api_server.fail("list", "pods", 503, "ServiceUnavailable")
    api_server.delay("list", "pods", 2, times=9)  # more often than the client tries
    with pytest.raises(ApiException) as refused:
        core.list_namespaced_pod(NAMESPACE)
    assert refused.value.status == 503
    with pytest.raises(Exception, match=r"timed out|Max retries"):
        core.list_namespaced_pod(NAMESPACE, _request_timeout=0.1)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (pod("one") | {"kind": "Secret"}, 400),
        (pod("one") | {"spec": {"containers": [{"name": "valence", "imagePul": "x"}]}}, 422),
    ],
    ids=["another kind", "a misspelt field"],
)
def test_what_is_sent_is_checked(api_server: ApiServer, wrong: dict[str, Any], code: int) -> None:
    answer = httpx.post(
        f"{api_server.url}/api/v1/namespaces/{NAMESPACE}/pods",
        headers={"authorization": f"Bearer {api_server.token}"},
        json=wrong,
        verify=ssl.create_default_context(cadata=api_server.certificate),
    )
    assert answer.status_code == code


def test_a_log_is_followed_until_its_pod_has_ended(api_server: ApiServer, core: client.CoreV1Api) -> None:
    api_server.store.create(pod("one"))
    api_server.write_log(NAMESPACE, "one", "first\n")
    answer = core.read_namespaced_pod_log("one", NAMESPACE, follow=True, _preload_content=False)
    lines = answer.stream(amt=None)
    assert next(lines) == b"first\n"
    api_server.write_log(NAMESPACE, "one", "second\n")
    core.patch_namespaced_pod_status("one", NAMESPACE, {"status": {"phase": "Succeeded"}})
    assert b"".join(lines) == b"second\n"
    answer.release_conn()


def test_deleting_a_job_deletes_its_pods(api_server: ApiServer, core: client.CoreV1Api) -> None:
    spec = {
        "template": {"spec": {"restartPolicy": "Never", "containers": pod("x")["spec"]["containers"]}},
    }
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "train"}, "spec": spec}
    jobs = client.BatchV1Api(core.api_client)
    owner = jobs.create_namespaced_job(NAMESPACE, body).metadata
    owned = pod("train-1")
    owned["metadata"]["ownerReferences"] = [
        {"apiVersion": "batch/v1", "kind": "Job", "name": "train", "uid": owner.uid}
    ]
    api_server.store.create(owned)
    jobs.delete_namespaced_job("train", NAMESPACE, propagation_policy="Background")
    assert core.list_namespaced_pod(NAMESPACE).items == []


def test_a_stranger_is_refused(api_server: ApiServer) -> None:
    stranger = client.Configuration(host=api_server.url, ca_cert_data=api_server.certificate)
    with pytest.raises(ApiException) as refused:
        client.CoreV1Api(client.ApiClient(stranger)).list_namespaced_pod(NAMESPACE)
    assert refused.value.status == 401
