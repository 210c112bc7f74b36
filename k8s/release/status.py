"""How what is intended, deployed and running stand to one another, and what brings them together."""

from dataclasses import dataclass

from k8s.release.api import Api, ApiError, Json
from k8s.release.deployment import Rollout, is_ready, look
from k8s.release.helm import Helm
from k8s.release.model import Model, from_template
from k8s.release.outcome import ReleaseError
from k8s.release.record import read_records
from k8s.release.registry import find


@dataclass(frozen=True)
class Status:
    """What each of them says, and what follows: disagreements with the command that ends each."""

    lines: tuple[str, ...]
    disagreements: tuple[str, ...]


def tell_status(api: Api, helm: Helm, registry: str | None) -> Status:
    """Ask the registry, Helm, the Deployment and each pod."""
    rollout = look(api, helm.release)
    deployed = helm.model()
    wanted = from_template(rollout.deployment)
    intended, unknown = _intended(deployed, registry)
    running = {pod["metadata"]["name"]: _health(api, pod) for pod in rollout.pods}
    lines = [
        f"registry  {deployed.name}@production: {intended or unknown}",
        f"helm      {helm.release} revision {helm.history()[-1].number}: {deployed}",
        f"cluster   deployment {rollout.deployment['metadata']['name']}: {wanted or 'no model named'}",
    ]
    for pod in rollout.pods:
        name = pod["metadata"]["name"]
        image = pod["spec"]["containers"][0]["image"]
        lines.append(f"pod       {name}: {_describe(running[name])}, image {image}")
    records = read_records(api, rollout.deployment)
    if records:
        last = records[-1]
        lines.append(f"release   {last.model} by {last.who}, {last.started}: {last.state} ({last.why})")
    found = _disagreements(api.namespace, helm, intended, deployed, wanted, rollout, running)
    if records and records[-1].open:
        version = records[-1].model.version
        found.append(
            f"a release of version {version} is not at its end ({records[-1].state}): go on with "
            f"`python -m k8s.release {version}`, or end it with `python -m k8s.release undo`"
        )
    return Status(tuple(lines), tuple(found))


def _disagreements(
    namespace: str,
    helm: Helm,
    intended: Model | None,
    deployed: Model,
    wanted: Model | None,
    rollout: Rollout,
    running: dict[str, Json | str],
) -> list[str]:
    found = []
    if wanted != deployed:
        keep = f", or keep it: `python -m k8s.release {wanted.version}`" if wanted else ""
        found.append(
            f"the Deployment has {wanted}, and Helm has {deployed} (as after `kubectl rollout undo`): bring "
            f"Helm's back: `helm rollback {helm.release} {helm.history()[-1].number} -n {namespace}`{keep}"
        )
    if intended is not None and intended != deployed:
        found.append(
            f"the registry's production is {intended}, and Helm has {deployed}: release it: `python -m "
            f"k8s.release production`, or move the alias: `python -m training.promote --to "
            f"{deployed.version}`"
        )
    others = [
        name
        for name, health in running.items()
        if wanted is not None
        and not (isinstance(health, dict) and health["model"]["digest"] == wanted.digest)
    ]
    if others:
        found.append(
            f"{', '.join(others)} should serve {wanted}: "
            f"`kubectl rollout status deployment/{rollout.deployment['metadata']['name']} -n {namespace}`"
        )
    builds = {health["build"] for health in running.values() if isinstance(health, dict)}
    if len(builds) > 1:
        found.append(f"pods run different code: {', '.join(sorted(builds))}")
    return found


def _intended(deployed: Model, registry: str | None) -> tuple[Model | None, str]:
    try:
        return find(f"models:/{deployed.name}@production", registry).model, ""
    except ReleaseError as error:
        return None, f"unknown ({error})"


def _health(api: Api, pod: Json) -> Json | str:
    if not is_ready(pod):
        return f"not ready ({pod.get('status', {}).get('phase', 'unknown')})"
    try:
        return api.ask_pod(pod["metadata"]["name"], "/health")
    except ApiError as error:
        return f"does not answer ({error})"


def _describe(health: Json | str) -> str:
    if isinstance(health, str):
        return health
    model = health["model"]
    return f"{Model(model['name'], str(model['version']), model['digest'])}, Bento {health['build']}"
