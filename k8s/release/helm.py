"""Helm, the one that writes: 3 or 4, as found on the path or named by `HELM`."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from k8s.release.model import Model, from_values
from k8s.release.outcome import Exit, ReleaseError

DEFAULT_RELEASE = "valence"
_WITHIN_S = 300
_DEPLOYED = "deployed"


class HelmError(ReleaseError):
    """Helm refused; the message is what it said."""


@dataclass(frozen=True)
class Revision:
    """One entry of `helm history`."""

    number: int
    status: str
    updated: str
    description: str

    @property
    def is_deployed(self) -> bool:
        """Whether it is what is there."""
        return self.status == _DEPLOYED

    @property
    def went_out(self) -> bool:
        """Whether it is there, or was."""
        return self.status in (_DEPLOYED, "superseded")

    @property
    def is_pending(self) -> bool:
        """Whether a helm works on it, or was killed."""
        return self.status.startswith("pending-")


@dataclass(frozen=True)
class Helm:
    """One Helm release; all of it raises `HelmError`."""

    release: str
    namespace: str
    context: str | None = None

    def command(self, words: str) -> str:
        """Return the command of this tool to give next on this release, for people."""
        release = "" if self.release == DEFAULT_RELEASE else f" --release {self.release}"
        context = f" --context {self.context}" if self.context else ""
        return f"python -m k8s.release {words} -n {self.namespace}{release}{context}"

    def values(self, revision: int | None = None) -> dict[str, Any]:
        """Return all values of a revision, by default of the last; the chart's defaults are among them."""
        wanted = [] if revision is None else ["--revision", str(revision)]
        found: dict[str, Any] = json.loads(
            self._run("get", "values", self.release, "--all", "--output", "json", *wanted)
        )
        return found

    def model(self, revision: int | None = None) -> Model:
        """Return the model that a revision names."""
        return from_values(self.values(revision))

    def history(self) -> list[Revision]:
        """Return the revisions that Helm keeps, oldest first."""
        entries = json.loads(self._run("history", self.release, "--output", "json", "--max", "256"))
        return [
            Revision(each["revision"], each["status"], each["updated"], each["description"])
            for each in entries
        ]

    def last(self) -> Revision:
        """Return the newest revision."""
        return self.history()[-1]

    def upgrade(self, chart: Path, model: Model, *, values: Path | None, description: str) -> None:
        """Deploy a model: everything else stays as it was last deployed, but for what `values` says."""
        files = ["--values", str(values)] if values else []
        sets = [f"model.name={model.name}", f"model.version={model.version}", f"model.digest={model.digest}"]
        self._run(
            "upgrade",
            self.release,
            str(chart),
            "--reset-then-reuse-values",
            *files,
            *(part for each in sets for part in ("--set-string", each)),
            "--description",
            description,
            *self._as_owner,
        )

    def rollback(self, revision: int) -> None:
        """Deploy what a revision was."""
        self._run("rollback", self.release, str(revision), *self._as_owner)

    def by_hand(self, words: str) -> str:
        """Return a command of helm on this release, for people."""
        context = f" --kube-context {self.context}" if self.context else ""
        return f"helm {words} -n {self.namespace}{context}"

    @cached_property
    def _as_owner(self) -> list[str]:
        """Let Helm 4 take back fields that `kubectl rollout undo` took; Helm 3 does so anyway."""
        return ["--server-side=true", "--force-conflicts"] if self._major >= 4 else []

    @cached_property
    def _major(self) -> int:
        said = self._execute([self._program, "version", "--template", "{{.Version}}"])
        return int(said.removeprefix("v").partition(".")[0])

    @cached_property
    def _program(self) -> str:
        named = os.environ.get("HELM", "helm")
        found = shutil.which(named)
        if found is None:
            raise HelmError(f"{named}: not found; install Helm 3 or 4, or let HELM name the program")
        return found

    def _run(self, *arguments: str) -> str:
        where = ["--namespace", self.namespace, *(["--kube-context", self.context] if self.context else [])]
        return self._execute([self._program, *arguments, *where])

    @staticmethod
    def _execute(command: list[str]) -> str:
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_WITHIN_S, check=False)  # noqa: S603
        except subprocess.TimeoutExpired as error:
            raise HelmError(
                f"helm {command[1]}: no end within {_WITHIN_S} s; check the cluster with: kubectl get events",
                Exit.STUCK,
            ) from error
        if done.returncode:
            raise HelmError(f"helm {command[1]}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout
