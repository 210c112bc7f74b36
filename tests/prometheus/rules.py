"""What the tests of the rules share: the rules as they are committed, and the tools that read them."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bento.metrics import METRICS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "prometheus"
# What others expose in a cluster, or Prometheus itself.
OTHERS = {"up", "ALERTS", "kube_pod_container_status_restarts_total"}

_METRIC = re.compile(r"\b[a-z_]+(?::[a-z0-9_]+)+\b|\b(?:valence|kube|up|ALERTS)[a-z0-9_]*\b")
_STRING = re.compile(r'"[^"]*"')
_LABELS = re.compile(r"\b(?:by|on|group_left|without|ignoring|group_right) \([^)]*\)")


def rules() -> list[dict[str, Any]]:
    """Return every rule."""
    groups = [
        group
        for path in sorted(FOLDER.glob("rules/*.yaml"))
        for group in yaml.safe_load(path.read_text())["groups"]
    ]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def recorded() -> set[str]:
    return {rule["record"] for rule in rules() if "record" in rule}


def exposed() -> set[str]:
    """Return every series name that the service exposes."""
    suffixes = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
    return {name + suffix for name, spec in METRICS.items() for suffix in suffixes[spec.kind]}


def metrics_of(expr: str) -> set[str]:
    """Return the names of metrics in a PromQL expression that keeps to the conventions of this project."""
    return set(_METRIC.findall(_LABELS.sub("", _STRING.sub("", expr))))


def run_tool(name: str, *arguments: str) -> str:
    """Run promtool or amtool and return what it said; skip where it is not installed."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is missing: apt install prometheus prometheus-alertmanager")
    done = subprocess.run([name, *arguments], cwd=FOLDER, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
