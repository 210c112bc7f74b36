"""The suite as `make e2e` runs it, on a cluster in miniature: real helm, real servers, a real load."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from scripts import tools
from tests.e2e.miniature import Miniature, running
from tests.k8s.kinds import kind_of

if TYPE_CHECKING:
    from tests.bento.conftest import MakePackage

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = kind_of({"apiVersion": "v1", "kind": "Namespace"})
FIRST, OTHER = "localhost/valence:1-first", "localhost/valence:2-other"
WITHIN_S = 240
_DRAIN_S = 10  # the balancer forgets a pod after five, and the rest is for a machine that is busy
_CASES = {"3": ["slo-violation"], "4": ["rolling-update", "node-drain"]}


@pytest.fixture
def miniature(tmp_path: Path, make_package: "MakePackage") -> Iterator[Miniature]:
    first = make_package(tmp_path / "first").path
    other = make_package(tmp_path / "other", extra_words=["other"]).path
    with running({FIRST: first, OTHER: other}) as miniature:
        yield miniature


class Suite:
    """`python -m tests.e2e` on a miniature."""

    def __init__(self, miniature: Miniature, folder: Path, major: str = "4", drain_s: int = _DRAIN_S) -> None:
        self.reports = folder / "reports"
        programs = folder / "programs"
        programs.mkdir()
        (programs / "helm").symlink_to(tools.helm(major))
        values = folder / "values.yaml"
        values.write_text(f"drain: {{serveSeconds: {drain_s}}}\n")
        self._command = [sys.executable, "-u", "-m", "tests.e2e", "--values", str(values)]
        self._command += ["--reports", str(self.reports)]
        self.environment = os.environ | {
            "KUBECONFIG": str(miniature.api.write_kubeconfig(folder / "kubeconfig")),
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "VALENCE_IMAGE": FIRST,
            "VALENCE_IMAGE_OTHER": OTHER,
            "VALENCE_E2E_URL": "",
        }

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self._command, *arguments],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        with self.begin(*arguments) as process:
            said, _ = process.communicate(timeout=WITHIN_S)
            return process.returncode, said


# How pods leave is nobody's but the cluster's; helm changes them by an upgrade and by a rollback.
@pytest.mark.parametrize(("major", "cases"), _CASES.items(), ids=["helm3", "helm4"])
def test_a_release_loses_nothing(miniature: Miniature, tmp_path: Path, major: str, cases: list[str]) -> None:
    suite = Suite(miniature, tmp_path, major)
    code, said = suite.run(*(word for case in cases for word in ("--case", case)))
    assert code == 0, said
    report = ET.parse(suite.reports / "report.xml").getroot()  # noqa: S314 - our own
    assert [case.get("name") for case in report[0].findall("testcase")] == cases
    assert miniature.api.store.all(NAMESPACE) == [], "it cleans up"


def test_pods_that_just_go_are_found_out(miniature: Miniature, tmp_path: Path) -> None:
    """Told to stop, they serve on for a second, and the balancer hears of it after five."""
    suite = Suite(miniature, tmp_path, drain_s=1)
    code, said = suite.run("--case", "pod-deletion")
    assert code == 1, said
    assert "requests failed:" in said
    assert "no answer  valence-" in said
    assert (suite.reports / "failures.csv").read_text().count("pod-deletion,") > 0


def test_interrupted_it_cleans_up(miniature: Miniature, tmp_path: Path) -> None:
    with Suite(miniature, tmp_path).begin("--case", "scale") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "kubectl scale" in line:
                process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN_S) == 2
    assert miniature.api.store.all(NAMESPACE) == []


def test_what_is_missing_is_said_before_anything_is_changed(miniature: Miniature, tmp_path: Path) -> None:
    suite = Suite(miniature, tmp_path)
    suite.environment["VALENCE_IMAGE_OTHER"] = "localhost/valence:not-loaded"
    miniature.api.denied = {"create pods", "patch nodes"}
    code, said = suite.run()
    assert code == 2
    assert "MISSING  permission to create pods" in said
    assert "MISSING  localhost/valence:not-loaded on node-0, node-1: load it there" in said
    assert "nothing was changed" in said
    assert {call.verb for call in miniature.api.calls} <= {"get", "list"}


def test_a_preflight_alone_changes_nothing(miniature: Miniature, tmp_path: Path) -> None:
    miniature.api.denied = {"patch nodes"}
    code, said = Suite(miniature, tmp_path).run("--preflight")
    assert code == 0, said
    assert "no permission to patch nodes: no node can be drained" in said
    assert "next: make e2e" in said.lower()


def test_without_images_it_says_what_to_set(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VALENCE_IMAGE")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "VALENCE_IMAGE and VALENCE_IMAGE_OTHER" in done.stderr


def test_a_preflight_names_the_images_and_the_cluster_that_are_missing(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VALENCE_IMAGE")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e", "--preflight"],
        cwd=ROOT,
        env=environment | {"KUBECONFIG": str(tmp_path / "none")},
        capture_output=True,
        text=True,
    )
    missing = [line.split()[1] for line in done.stdout.splitlines() if "MISSING" in line]
    assert missing == ["VALENCE_IMAGE:", "VALENCE_IMAGE_OTHER:", "a"], done.stdout
    assert "a cluster: " in done.stdout
    assert (done.returncode, "nothing was changed" in done.stderr) == (2, True)


def test_without_images_a_preflight_still_looks_at_the_cluster(miniature: Miniature, tmp_path: Path) -> None:
    suite = Suite(miniature, tmp_path)
    del suite.environment["VALENCE_IMAGE"]
    code, said = suite.run("--preflight")
    assert code == 2
    assert "MISSING  VALENCE_IMAGE: " in said
    assert "of 2 nodes take pods" in said


def test_its_help_says_how_to_run_it_everywhere() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for place in ("On kind", "On minikube", "On Amazon EKS", "VALENCE_E2E_URL"):
        assert place in done.stdout
