"""Which model is meant, and whether it can be deployed the way the cluster takes its models."""

import hashlib
from pathlib import Path
from typing import Any

import yaml

from k8s.release.helm import Helm
from k8s.release.model import DIGEST, from_values
from k8s.release.outcome import ReleaseError
from k8s.release.registry import Found, find


def choose_model(version: str, values: Path | None, registry: str | None, helm: Helm) -> Found:
    """Resolve a version or an alias to a package, to be released.

    Args:
        version: Of the deployed model's name.
        values: As `make image` writes them; needed where images bring their model.
        registry: As for `find`; None where there is none, and `values` says it all.
        helm: What is deployed.

    Raises:
        ReleaseError: It is unknown, or not what `values` says, or pods would not get it.
    """
    deployed = helm.values()
    file = _read(values) if values else {}
    its_model = file.get("model") or {}
    written = from_values({"model": deployed["model"] | its_model}) if its_model else None
    source = its_model.get("source", deployed["model"]["source"])
    if written is not None and registry is None:
        if written.version != version or not DIGEST.fullmatch(written.digest):
            raise ReleaseError(f"{values} is about version {written.version}, not {version}")
        found = Found(written, (), _package_beside(values, written.digest))
        return _changing(found, file, deployed, values, helm)
    found = find(reference(deployed["model"]["name"], version), registry, download=True)
    if source == "image" and written is None and found.model != from_values(deployed):
        raise ReleaseError(
            f"pods take their model from the image: make image MODEL={found.model.reference}, push the "
            "image, and add --values .valence/image/values.yaml; or let them fetch it (model.source=registry)"
        )
    if written is not None and (written.version, written.digest) != (found.model.version, found.model.digest):
        raise ReleaseError(
            f"{values} is about {written}, and the registry says that {version} is {found.model}"
        )
    return _changing(found, file, deployed, values, helm)


def _changing(
    found: Found, file: dict[str, Any], deployed: dict[str, Any], values: Path | None, helm: Helm
) -> Found:
    """Refuse what changes other values than the model's, as nothing of it would be released or undone."""
    if found.model == from_values(deployed) and not _holds(deployed, file):
        command = f"upgrade {helm.release} CHART --reset-then-reuse-values --values {values}"
        raise ReleaseError(
            f"{found.model} is deployed already, and {values} changes something else, which is no release "
            f"of a model: {helm.by_hand(command)}"
        )
    return found


def _holds(deployed: Any, file: Any) -> bool:  # noqa: ANN401 - JSON
    """Whether all that a file says is deployed."""
    if isinstance(file, dict):
        known = deployed if isinstance(deployed, dict) else {}
        return all(_holds(known.get(name), value) for name, value in file.items())
    return bool(deployed == file)


def _read(values: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(values.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ReleaseError(f"{values}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict) or not isinstance(found.get("model") or {}, dict):
        raise ReleaseError(f"{values}: no values of the chart, as `make image` writes them")
    return found


def _package_beside(values: Path | None, digest: str) -> Path | None:
    """Find the package that `make image` has left behind; its digest is that of its manifest."""
    manifest = (values or Path()).parent / "model" / "manifest.json"
    if not manifest.is_file():
        return None
    found = "sha256:" + hashlib.sha256(manifest.read_bytes()).hexdigest()
    return manifest.parent if found == digest else None


def reference(name: str, version: str) -> str:
    """Return what the registry calls a version or an alias of a model."""
    return f"models:/{name}/{version}" if version.isdigit() else f"models:/{name}@{version}"
