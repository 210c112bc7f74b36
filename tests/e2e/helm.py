"""Helm, version 3 or 4, as somebody would run it against the suite's namespace."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from scripts import tools
from tests.e2e.cluster import RELEASE

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "valence"
_GRACE_S = 90  # beyond its own timeout, for going back

Values = dict[str, Any]


class HelmError(Exception):
    """Helm failed; the message is what it wrote."""


class Helm:
    """Runs the program on one release.

    Args:
        folder: Where values are written down.
        namespace: Of the release.
        files: Values files that come after the suite's own.
        context: Of the kubeconfig; empty for the current one.
    """

    def __init__(self, folder: Path, namespace: str, files: list[Path], context: str = "") -> None:
        self.program = find()
        self.version = self._run("version", "--template", "{{.Version}}").strip()
        self.context = context
        self._folder = folder
        self._files = files
        self._target = ["--namespace", namespace, *(["--kube-context", context] if context else [])]

    def install(self, values: Values, *, timeout_s: int) -> None:
        """Install, and wait until all is ready.

        Raises:
            HelmError: It failed.
        """
        self._put("install", values, timeout_s)

    def upgrade(self, values: Values, *, timeout_s: int, or_go_back: bool = False) -> None:
        """Upgrade, and wait until all is ready.

        Args:
            values: On top of the chart's own.
            timeout_s: How long it may take.
            or_go_back: Whether Helm goes back to the revision before when it fails.

        Raises:
            HelmError: It failed, whether it went back or not.
        """
        self._put("upgrade", values, timeout_s, *self._flags(or_go_back=or_go_back))

    def revision(self) -> int:
        """Return the number of the revision that is deployed."""
        told = json.loads(self._run("status", RELEASE, *self._target, "--output", "json"))
        return int(told["version"])

    def _put(self, verb: str, values: Values, timeout_s: int, *flags: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / "values.json"
        file.write_text(json.dumps(values, indent=2))
        self._run(
            *(verb, RELEASE, str(CHART), *self._target, "--values", str(file)),
            *(word for path in self._files for word in ("--values", str(path))),
            *("--wait", "--timeout", f"{timeout_s}s", *flags),
            within_s=2 * timeout_s + _GRACE_S,
        )

    def _flags(self, *, or_go_back: bool) -> list[str]:
        if self.version.startswith("v3."):
            return ["--atomic"] if or_go_back else []
        # What `kubectl rollout undo` and `kubectl scale` set is theirs, and Helm 4 would refuse to change it.
        return ["--force-conflicts", *(["--rollback-on-failure"] if or_go_back else [])]

    def _run(self, *arguments: str, within_s: float = 60) -> str:
        try:
            done = subprocess.run(
                [self.program, *arguments],
                capture_output=True,
                text=True,
                timeout=within_s,
                env=os.environ | {"HELM_DEBUG": "false"},
            )
        except subprocess.TimeoutExpired as error:
            raise HelmError(f"helm {arguments[0]} does not end within {within_s:.0f} s") from error
        if done.returncode:
            raise HelmError(done.stderr.strip() or f"helm ended with {done.returncode}")
        return done.stdout


def find() -> str:
    """Return the program: that of the path, else the pinned one of `scripts.tools`.

    Raises:
        ToolError: There is none, and none can be had.
    """
    return shutil.which("helm") or str(tools.helm("4"))
