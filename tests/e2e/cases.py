"""The cases: what is done to the release while the load goes on, and what has to be so after.

Each begins with three ready pods of `scene.current` and has to leave them so.
"""

import time
from collections.abc import Callable

from tests.e2e.helm import HelmError, Values
from tests.e2e.objects import takes_pods
from tests.e2e.options import REPLICAS
from tests.e2e.scene import SETTLED_WITHIN_S, CaseError, Model, Scene, SkippedError, now
from tests.e2e.watched import watched_release

_BROKEN_FOR_S = 45  # Helm waits for so long before it goes back
_NO_SUCH_TAG = "there-is-no-such-image"
_NO_SUCH_DIGEST = "sha256:" + "0" * 64
_REFUSED_VERSION = "999"


def steady(scene: Scene) -> None:
    """Nothing, for ten seconds."""
    time.sleep(10)
    if scene.load.window(now() - 10).failures:
        scene.say(
            "requests fail although nothing changes: are three pods of half a CPU enough for this model?"
        )
        scene.say("A --values file with resources gives them more; --help says how requests get to the pods.")


def rolling_update(scene: Scene) -> None:
    """A rolling update to the other model."""
    began = now()
    before, after = scene.current, _another(scene)
    scene.upgrade(after)
    scene.expect_answers_of(before, after, since=began)
    _expect_only(scene, after)


def undo_and_upgrade(scene: Scene) -> None:
    """`kubectl rollout undo`, which Helm knows nothing of, and the `helm upgrade` after it."""
    newer, older = scene.current, _another(scene)
    if len(scene.cluster.revisions()) < 2:
        scene.say("there is nothing to go back to yet")
        scene.upgrade(older)
        newer, older = older, newer
    scene.say("kubectl rollout undo")
    scene.cluster.undo_rollout()
    scene.current = older
    scene.settle()
    _expect_only(scene, older)
    scene.upgrade(newer)
    _expect_only(scene, newer)


def scale(scene: Scene) -> None:
    """From three pods to one, and back to three."""
    for replicas in (1, REPLICAS):
        scene.say(f"kubectl scale --replicas {replicas}")
        scene.cluster.scale(replicas)
        scene.settle(replicas)


def pod_deletion(scene: Scene) -> None:
    """The deletion of a pod."""
    pod = scene.cluster.pods()[0]["metadata"]["name"]
    scene.say(f"kubectl delete pod {pod}")
    scene.cluster.delete_pod(pod)
    scene.cluster.wait_until_left(pod, SETTLED_WITHIN_S)
    scene.settle()


def broken_image(scene: Scene) -> None:
    """A `helm upgrade` to an image that does not exist, which Helm takes back."""
    values = scene.values(scene.current)
    values["image"] = values["image"] | {"tag": _NO_SUCH_TAG, "digest": ""}
    _goes_back(scene, values, "to an image that does not exist")


def refused_package(scene: Scene) -> None:
    """A `helm upgrade` to a package that fails verification, so that no pod of it becomes ready."""
    values = scene.values(scene.current)
    values["model"] = values["model"] | {"version": _REFUSED_VERSION, "digest": _NO_SUCH_DIGEST}
    began = now()
    _goes_back(scene, values, "to a digest that the package in the image does not have")
    if _REFUSED_VERSION in scene.load.window(began).versions:
        raise CaseError("a pod whose package is not what was asked for has answered")


def slo_violation(scene: Scene) -> None:
    """A release that violates its SLO while it is watched, and is undone by itself."""
    watched_release(scene, _another(scene))
    scene.settle()
    _expect_only(scene, scene.current)


def node_drain(scene: Scene) -> None:
    """The drain of a node."""
    fit = [node for node in scene.cluster.nodes() if takes_pods(node)]
    if len(fit) < 2:
        raise SkippedError(f"a drain needs two nodes that take pods, and there is {len(fit)}")
    running = [pod["spec"].get("nodeName") for pod in scene.cluster.pods()]
    name = max((node["metadata"]["name"] for node in fit), key=running.count)
    leaving = [pod["metadata"]["name"] for pod in scene.cluster.pods() if pod["spec"]["nodeName"] == name]
    scene.say(f"kubectl cordon {name}, eviction of {', '.join(leaving)}; if this process is killed:")
    scene.say(f"  kubectl uncordon {name}")
    scene.cluster.set_cordoned(name, cordoned=True)
    try:
        for pod in leaving:
            _evict(scene, pod)
        scene.settle()
        if name in {pod["spec"].get("nodeName") for pod in scene.cluster.pods()}:
            raise CaseError(f"a pod is still on {name}")
    finally:
        scene.cluster.set_cordoned(name, cordoned=False)
        scene.say(f"kubectl uncordon {name}")


CASES: dict[str, Callable[[Scene], None]] = {
    "steady": steady,
    "rolling-update": rolling_update,
    "undo-and-upgrade": undo_and_upgrade,
    "scale": scale,
    "pod-deletion": pod_deletion,
    "broken-image": broken_image,
    "refused-package": refused_package,
    "slo-violation": slo_violation,
    "node-drain": node_drain,
}


def _another(scene: Scene) -> Model:
    return scene.first if scene.current == scene.other else scene.other


def _goes_back(scene: Scene, values: Values, what: str) -> None:
    scene.say(f"helm upgrade {what}, for {_BROKEN_FOR_S} s")
    try:
        scene.helm.upgrade(values, timeout_s=_BROKEN_FOR_S, or_go_back=True)
    except HelmError as error:
        scene.say(f"helm: {str(error).splitlines()[-1][:160]}")
    else:
        raise CaseError("helm upgrade ended well, which it must not")
    scene.settle()


def _evict(scene: Scene, pod: str) -> None:
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while not scene.cluster.evict(pod):  # its budget says not yet
        if time.monotonic() > deadline:
            raise CaseError(f"{pod} may not be evicted:\n{scene.cluster.describe_pods()}")
        time.sleep(1)


def _expect_only(scene: Scene, model: Model) -> None:
    """See that for a second everybody has been answered by one model."""
    began = now()
    time.sleep(1)
    scene.expect_answers_of(model, since=began)
