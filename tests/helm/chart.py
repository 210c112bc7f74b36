"""What the tests of the chart share: the chart rendered by a real helm, and how to find things in it."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from scripts import tools

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "valence"
CI = sorted((CHART / "ci").glob("*-values.yaml"))
PINS = CHART / "ci" / "minimal-values.yaml"
EKS = CHART / "values-eks.yaml"
ACCOUNT = Path(__file__).with_name("account.yaml")
# What is rendered: the files to take values from, by name.
CASES = {path.stem.removesuffix("-values"): (path,) for path in CI} | {
    "eks": (EKS, PINS, ACCOUNT),
    "local": (CHART / "values-local.yaml", PINS),
}
DIGEST = "sha256:" + "0123456789abcdef" * 4

Object = dict[str, Any]


class HelmError(Exception):
    """Helm refused; the message is what it said."""


@cache
def _template(major: str, files: tuple[Path, ...], sets: tuple[str, ...], chart: Path) -> str:
    values = [part for file in files for part in ("--values", str(file))]
    values += [part for value in sets for part in ("--set-json", value)]
    return run_helm(major, "template", "valence", str(chart), "--namespace", "sentiment", *values)


def run_helm(major: str, *arguments: str) -> str:
    """Run a helm; its output.

    Raises:
        HelmError: It failed.
    """
    done = subprocess.run([str(tools.helm(major)), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise HelmError(done.stderr + done.stdout)
    return done.stdout


def render(
    case: str = "minimal",
    values: Mapping[str, object] = MappingProxyType({}),
    *,
    major: str = "4",
    chart: Path = CHART,
) -> list[Object]:
    """Render the chart.

    Args:
        case: One of `CASES`.
        values: Further ones, by dotted path.
        major: Of helm.
        chart: Where it lies.
    """
    sets = tuple(f"{path}={json.dumps(value)}" for path, value in values.items())
    output = _template(major, CASES[case], sets, chart)
    # The parser in C: 6 ms instead of 105 for what has dashboards in it, hundreds of times.
    return [document for document in yaml.load_all(output, yaml.CSafeLoader) if document]


def find(objects: list[Object], kind: str) -> Object:
    """Return the only object of a kind."""
    (found,) = [each for each in objects if each["kind"] == kind]
    return found


def kinds(objects: list[Object]) -> set[str]:
    return {each["kind"] for each in objects}


def workload(objects: list[Object]) -> Object:
    """Return what runs the server: the Deployment, or the Rollout."""
    (found,) = [each for each in objects if each["kind"] in ("Deployment", "Rollout")]
    return found


def server(objects: list[Object]) -> Object:
    """Return the server's container."""
    (container,) = workload(objects)["spec"]["template"]["spec"]["containers"]
    found: Object = container
    return found


def environment(container: Object) -> dict[str, Any]:
    """Return a container's variables: name to value, or to where the value comes from."""
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container.get("env", [])}


def pods(objects: list[Object]) -> Iterator[Object]:
    """Yield every pod, be it in a template or by itself: `metadata` and `spec`."""
    for each in objects:
        if each["kind"] == "Pod":
            yield each
        elif "template" in each.get("spec", {}):
            yield each["spec"]["template"]


def containers(pod: Object) -> list[Object]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
