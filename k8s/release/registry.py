"""The model registry, asked through the command that `bento/` has for it.

That command reads MLflow's file and MLflow's server alike and verifies what it downloads; a second client
here would have to be kept equal to it. Writing, which serving never does, goes to MLflow's REST API.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx

from k8s.release.model import Model
from k8s.release.outcome import ReleaseError
from k8s.release.web import explain, hide_password

_API = "/api/2.0/mlflow/model-versions"
_WITHIN_S = 600  # a package may have to be downloaded
_TAG = "valence.release_plan"


@dataclass(frozen=True)
class Found:
    """What the registry has under a reference; `package` is its directory where it was downloaded."""

    model: Model
    aliases: tuple[str, ...]
    package: Path | None


def find(reference: str, registry: str | None, *, download: bool = False) -> Found:
    """Ask for a version.

    Args:
        reference: `models:/name/version` or `models:/name@alias`.
        registry: MLflow's URL or `sqlite:///FILE`; None: `VALENCE_REGISTRY`, or the one of this folder.
        download: Whether the package is wanted as well.

    Raises:
        ReleaseError: It cannot be had.
    """
    command = [sys.executable, "-m", "bento.resolve", reference, *(["--download"] if download else [])]
    variables = os.environ | ({"VALENCE_REGISTRY": registry} if registry else {})
    try:
        done = subprocess.run(  # noqa: S603
            command, env=variables, capture_output=True, text=True, timeout=_WITHIN_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ReleaseError(f"{reference}: the registry gives nothing within {_WITHIN_S} s") from error
    if done.returncode:
        raise ReleaseError(done.stderr.strip() or f"python -m bento.resolve {reference} failed")
    answer = json.loads(done.stdout)
    if not answer["digest"]:
        raise ReleaseError(f"{reference}: the registry knows no digest of it; register it with: make train")
    path = answer.get("path")
    return Found(
        Model(answer["name"], answer["version"], answer["digest"]),
        tuple(answer["aliases"]),
        Path(path) if path else None,
    )


def keep_note(model: Model, registry: str, note: str, plan: str) -> None:
    """Make a note the description of a version, and the plan behind it a tag.

    Args:
        model: The version.
        registry: MLflow's URL; a user and password in it are sent as basic authentication.
        note: Markdown.
        plan: JSON, short enough for a tag.

    Raises:
        ReleaseError: The registry is a file, or refuses.
    """
    if not registry.startswith(("http://", "https://")):
        raise ReleaseError(
            "the registry is a file, to which no note is added from here; to keep notes with versions, "
            "serve it (mlflow server --backend-store-uri sqlite:///.valence/mlflow.db) and name that: "
            "--registry http://…"
        )
    version = {"name": model.name, "version": model.version}
    try:
        with httpx.Client(base_url=registry.rstrip("/"), timeout=30) as client:
            client.patch(f"{_API}/update", json=version | {"description": note}).raise_for_status()
            tag = version | {"key": _TAG, "value": plan}
            client.post(f"{_API}/set-tag", json=tag).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ReleaseError(
            f"{hide_password(registry)}: the note was not kept with {model}: {explain(error)}"
        ) from error
