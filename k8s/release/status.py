"""How what is intended, deployed and running stand to one another, and what brings them together."""

from collections.abc import Iterator
from dataclasses import dataclass

from k8s.release.api import Api, ApiError, Json
from k8s.release.deployment import Rollout, is_ready, look
from k8s.release.helm import Helm, Revision
from k8s.release.model import Model
from k8s.release.outcome import ReleaseError
from k8s.release.record import Record, read_records
from k8s.release.registry import find


@dataclass(frozen=True)
class Status:
    """What each of them says, and what follows: disagreements with the command that ends each."""

    lines: tuple[str, ...]
    disagreements: tuple[str, ...]


@dataclass(frozen=True)
class _Health:
    """What a pod says of itself; without a model, why it says nothing."""

    told: str
    model: Model | None = None
    build: str = ""


def tell_status(api: Api, helm: Helm, registry: str | None) -> Status:
    """Ask the registry, Helm, the Deployment and each pod."""
    rollout = look(api, helm.release)
    deployed, revision = helm.model(), helm.last()
    intended, unknown = _intended(deployed, registry)
    pods = {pod["metadata"]["name"]: _health(api, pod) for pod in rollout.pods}
    images = {pod["metadata"]["name"]: pod["spec"]["containers"][0]["image"] for pod in rollout.pods}
    last = next(reversed(read_records(api, rollout.deployment)), None)
    lines = [
        f"registry  {deployed.name}@production: {intended or unknown}",
        f"helm      {helm.release} revision {revision.number}, {revision.status}: {deployed}",
        f"cluster   deployment {rollout.name}: {rollout.model or 'no model named'}",
        *(f"pod       {name}: {health.told}, image {images[name]}" for name, health in pods.items()),
    ]
    if last is not None:
        lines.append(f"release   {last.model} by {last.who}, {last.started}: {last.state} ({last.why})")
    disagreements = (
        *_of_helm(helm, revision, deployed, rollout.model),
        *_of_registry(helm, intended, deployed),
        *_of_pods(helm, rollout, pods),
        *_of_release(helm, last),
    )
    return Status(tuple(lines), disagreements)


def _of_helm(helm: Helm, revision: Revision, deployed: Model, wanted: Model | None) -> Iterator[str]:
    if not revision.is_deployed:
        how = "a helm is at it, or was killed" if revision.is_pending else "it did not go out"
        back = helm.by_hand(f"rollback {helm.release}")
        yield (
            f"Helm's revision {revision.number} is {revision.status} ({how}): when nobody runs it: `{back}`"
        )
    elif wanted != deployed:
        back = helm.by_hand(f"rollback {helm.release} {revision.number}")
        keep = f", or keep it: `{helm.command(wanted.version)}`" if wanted else ""
        yield (
            f"the Deployment has {wanted}, and Helm has {deployed} (as after `kubectl rollout undo`): bring "
            f"Helm's back: `{back}`{keep}"
        )


def _of_registry(helm: Helm, intended: Model | None, deployed: Model) -> Iterator[str]:
    if intended is not None and intended != deployed:
        yield (
            f"the registry's production is {intended}, and Helm has {deployed}: release it: "
            f"`{helm.command('production')}`, or move the alias: `python -m training.promote --to "
            f"{deployed.version}`"
        )


def _of_pods(helm: Helm, rollout: Rollout, pods: dict[str, _Health]) -> Iterator[str]:
    wanted = rollout.model
    others = [
        name for name, its in pods.items() if wanted and (not its.model or its.model.digest != wanted.digest)
    ]
    if others:
        watch = f"kubectl rollout status deployment/{rollout.name} -n {helm.namespace}"
        yield f"{', '.join(others)} should serve {wanted}: `{watch}`"
    builds = {its.build for its in pods.values() if its.build}
    if len(builds) > 1:
        yield f"pods run different code: {', '.join(sorted(builds))}"


def _of_release(helm: Helm, last: Record | None) -> Iterator[str]:
    if last is not None and last.open:
        yield (
            f"the release of version {last.model.version} is not at its end ({last.state}): go on with "
            f"`{helm.command(last.model.version)}`, or end it with `{helm.command('undo')}`"
        )


def _intended(deployed: Model, registry: str | None) -> tuple[Model | None, str]:
    try:
        return find(f"models:/{deployed.name}@production", registry).model, ""
    except ReleaseError as error:
        return None, f"unknown ({error})"


def _health(api: Api, pod: Json) -> _Health:
    if not is_ready(pod):
        return _Health(f"not ready ({pod.get('status', {}).get('phase', 'unknown')})")
    try:
        answer = api.ask_pod(pod["metadata"]["name"], "/health")
        told = answer["model"]
        model = Model(told["name"], str(told["version"]), told["digest"])
        return _Health(f"{model}, Bento {answer['build']}", model, answer["build"])
    except ApiError as error:
        return _Health(f"does not answer ({error})")
    except (KeyError, TypeError):
        return _Health("answers, and not as Valence does")
