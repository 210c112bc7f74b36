"""A cluster in miniature: the stand-in for the API, its controllers in one loop, and pods that are processes.

Each pod is a real `python -m bento.serve` on a loopback address of its own, with the environment that the
chart gives it; it is told to stop by SIGTERM, as the kubelet does. What is simulated is when what happens, by
the rules that Kubernetes has for Deployments, EndpointSlices and disruption budgets.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.miniature_api import MiniatureApi
from tests.k8s.kinds import DEPLOYMENT, POD, Json, kind_of
from tests.k8s.rollout import is_leaving, is_ready, roll, set_status
from tests.k8s.store import ApiError

_ROOT = Path(__file__).resolve().parents[2]
_TURN_S = 0.1
_NAMESPACE = kind_of({"apiVersion": "v1", "kind": "Namespace"})
_NODE = kind_of({"apiVersion": "v1", "kind": "Node"})
_SERVICE = kind_of({"apiVersion": "v1", "kind": "Service"})
_SLICE = kind_of({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice"})
_LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Miniature:
    """Runs what is in the store, a turn at a time.

    Args:
        api: Whose store.
        images: The package in each image that the nodes have.
    """

    def __init__(self, api: MiniatureApi, images: dict[str, Path], nodes: int = 2) -> None:
        self.api = api
        self._store = api.store
        self._images = images
        self._processes: dict[tuple[str, str], subprocess.Popen[bytes]] = {}
        self._folder = Path(tempfile.mkdtemp(prefix="miniature"))
        self._net = f"127.{random.randint(64, 250)}.{random.randint(1, 250)}"
        self._last_host = 1
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        for number in range(nodes):
            self._store.create(_node(f"node-{number}", list(images)))

    def __enter__(self) -> "Miniature":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for process in self._processes.values():
            process.kill()
            process.wait()

    def _run(self) -> None:
        while not self._stop.wait(_TURN_S):
            namespaces = {each["metadata"]["name"] for each in self._store.all(_NAMESPACE)}
            for deployment in self._store.all(DEPLOYMENT):
                if deployment["metadata"]["namespace"] in namespaces:
                    roll(self._store, deployment)
            for pod in self._store.all(POD):
                if pod["metadata"]["namespace"] in namespaces:
                    self._look_after(pod)
            for key, process in list(self._processes.items()):
                if key[0] not in namespaces:  # what a deleted namespace held goes with it
                    process.kill()
                    process.wait()
                    del self._processes[key]
            for service in self._store.all(_SERVICE):
                self._publish(service)

    # The kubelet: a process for each pod.

    def _look_after(self, pod: Json) -> None:
        meta = pod["metadata"]
        key = meta["namespace"], meta["name"]
        process = self._processes.get(key)
        if process is None:
            if is_leaving(pod):
                self._store.remove(POD, *key)
            elif "status" not in pod:
                self._start(pod, key)
            return
        code = process.poll()
        if code is None:
            if is_leaving(pod) and not meta.get("annotations", {}).get("told"):
                process.send_signal(signal.SIGTERM)
                self._store.change(POD, *key, _note_told)
            elif not is_leaving(pod):
                set_status(self._store, pod, _running(pod, ready=self._answers(pod)))
            return
        del self._processes[key]
        log = (self._folder / meta["name"]).read_text()
        self.api.write_log(*key, log)
        if is_leaving(pod):
            self._store.remove(POD, *key)
        elif pod["spec"].get("restartPolicy") == "Never":
            set_status(self._store, pod, {"phase": "Failed" if code else "Succeeded"})
        else:
            set_status(self._store, pod, _waiting(pod, "CrashLoopBackOff", f"it ended with {code}"))

    def _start(self, pod: Json, key: tuple[str, str]) -> None:
        (container,) = pod["spec"]["containers"]
        package = self._images.get(container["image"])
        node = self._least_used_node()
        if package is None or node is None:
            reason = "ErrImagePull" if node else "Unschedulable"
            set_status(self._store, pod, _waiting(pod, reason, container["image"]))
            return
        self._last_host += 1
        address = f"{self._net}.{self._last_host % 250 + 2}"
        environment = {each["name"]: each["value"] for each in container.get("env", []) if "value" in each}
        environment["VALENCE_CACHE_DIR"] = str(self._folder / "cache")
        if environment.get("VALENCE_MODEL") == "/app/model":
            environment["VALENCE_MODEL"] = str(package)
        command = [sys.executable, "-m", "bento.serve", "--host", address, "--port", "3000"]
        if "command" in container:
            inside = [word.replace("/app/model", str(package)) for word in container["command"]]
            command = [sys.executable, *inside[1:]]
        with (self._folder / key[1]).open("wb") as log:
            self._processes[key] = subprocess.Popen(
                command, cwd=_ROOT, env=os.environ | environment, stdout=log, stderr=subprocess.STDOUT
            )
        self.api.pods[key] = f"http://{address}:3000"
        self._store.change(POD, *key, lambda each: _on(each, node))
        set_status(self._store, pod, {"phase": "Pending", "podIP": address})

    def _least_used_node(self) -> str | None:
        names = [
            node["metadata"]["name"]
            for node in self._store.all(_NODE)
            if not node.get("spec", {}).get("unschedulable")
        ]
        used = [pod["spec"].get("nodeName") for pod in self._store.all(POD)]
        return min(names, key=used.count, default=None)

    def _answers(self, pod: Json) -> bool:
        try:
            with _LOCAL.open(f"http://{pod['status']['podIP']}:3000/readyz", timeout=2):
                return True
        except OSError:
            return False

    # Endpoints: who is ready and stays.

    def _publish(self, service: Json) -> None:
        meta, selector = service["metadata"], service["spec"]["selector"].items()
        if "clusterIP" not in service["spec"]:
            self._store.change(_SERVICE, meta["namespace"], meta["name"], _with_address)
        pods = [
            pod
            for pod in self._store.all(POD, meta["namespace"])
            if selector <= pod["metadata"].get("labels", {}).items() and "podIP" in pod.get("status", {})
        ]
        made: Json = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{meta['name']}-slice",
                "namespace": meta["namespace"],
                "labels": {"kubernetes.io/service-name": meta["name"]},
            },
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 3000, "protocol": "TCP"}],
            "endpoints": [_endpoint(pod) for pod in pods],
        }
        try:
            self._store.change(
                _SLICE, meta["namespace"], made["metadata"]["name"], lambda before: {**before, **_body(made)}
            )
        except ApiError:
            self._store.create(made)


def _with_address(service: Json) -> Json:
    service["spec"]["clusterIP"] = "10.96.0.10"
    return service


def _body(made: Json) -> Json:
    return {name: made[name] for name in ("ports", "endpoints")}


def _endpoint(pod: Json) -> Json:
    stays = is_ready(pod) and not is_leaving(pod)
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": stays, "serving": is_ready(pod), "terminating": is_leaving(pod)},
        "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"]},
    }


def _note_told(pod: Json) -> Json:
    pod["metadata"].setdefault("annotations", {})["told"] = "yes"
    return pod


def _on(pod: Json, node: str) -> Json:
    pod["spec"]["nodeName"] = node
    return pod


def _running(pod: Json, *, ready: bool) -> Json:
    name = pod["spec"]["containers"][0]["name"]
    status = {"name": name, "ready": ready, "restartCount": 0, "state": {"running": {}}}
    condition = {"type": "Ready", "status": str(ready)}
    return {"phase": "Running", "containerStatuses": [status], "conditions": [condition]}


def _waiting(pod: Json, reason: str, message: str) -> Json:
    name = pod["spec"]["containers"][0]["name"]
    state = {"waiting": {"reason": reason, "message": message}}
    condition = {"type": "Ready", "status": "False"}
    return {
        "phase": "Pending",
        "containerStatuses": [{"name": name, "ready": False, "restartCount": 1, "state": state}],
        "conditions": [condition],
    }


def _node(name: str, images: list[str]) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name},
        "spec": {"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24"]},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "images": [{"names": [image]} for image in images],
        },
    }


@contextmanager
def running(images: dict[str, Path], nodes: int = 2) -> Iterator[Miniature]:
    """Run one for as long as the context lasts."""
    api = MiniatureApi()
    thread = threading.Thread(target=api.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        with Miniature(api, images, nodes) as miniature:
            yield miniature
    finally:
        api.stopping = True
        api.cut_watches()
        api.shutdown()
        api.server_close()
        thread.join()
