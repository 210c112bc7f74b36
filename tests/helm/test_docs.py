"""The commands of the documentation: helm takes those that are its, and all name what there is."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from scripts import chart, tools
from tests.helm.chart import ACCOUNT, DIGEST, EKS, ROOT, HelmError, run_helm

TEXT = (ROOT / "docs" / "deploy.md").read_text() + (ROOT / "README.md").read_text()
RUNBOOKS = (ROOT / "docs" / "runbooks.md").read_text()
CHART_README = (ROOT / "helm" / "valence" / "README.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", TEXT + CHART_README, re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.replace("\\\n", " ").splitlines()]
ROLLBACKS = re.findall(r"^helm rollback .*|(?<=`)helm rollback [^`]+", RUNBOOKS, re.MULTILINE)
UPGRADES = sorted({line for line in COMMANDS if line.startswith("helm upgrade")})


@pytest.fixture
def image_values(tmp_path: Path) -> Path:
    """What `make image` writes."""
    path = tmp_path / "values.yaml"
    image = {"repository": "registry.example.org/valence", "tag": "3-0a1b"}
    content = {"image": image, "model": {"name": "m", "version": "3", "digest": DIGEST}}
    path.write_text(yaml.safe_dump(content))
    return path


def test_there_are_some() -> None:
    assert len(UPGRADES) >= 2


@pytest.mark.parametrize("command", UPGRADES)
def test_helm_takes_the_values_that_are_named(command: str, image_values: Path, major: str) -> None:
    arguments = shlex.split(command, comments=True)[3:]
    assert arguments[:2] == ["valence", "helm/valence"]
    named = [argument.replace(".valence/image/values.yaml", str(image_values)) for argument in arguments[2:]]
    kept = [str(ROOT / each) if each.startswith("helm/") else each for each in named if each != "--wait"]
    assert len(kept) < len(named), "`helm test` follows at once: wait until there is what it asks"
    if str(EKS) in kept:
        with pytest.raises(HelmError, match=r"certificateArn=.*REPLACE is refused: write the ARN of your"):
            run_helm(major, "template", "valence", str(ROOT / "helm/valence"), *kept)
        kept += ["--values", str(ACCOUNT)]
    assert "kind: Deployment" in run_helm(major, "template", "valence", str(ROOT / "helm/valence"), *kept)


@pytest.mark.parametrize("command", [*ROLLBACKS, *(each for each in UPGRADES if "values-eks" in each)])
def test_helm_waits_as_long_as_pods_behind_an_nlb_take(command: str) -> None:
    assert "--wait --timeout 20m" in command


def test_every_file_that_a_command_names_is_there() -> None:
    for command in COMMANDS:
        for word in re.findall(r"(?:^|[ =(])((?:helm|k8s|scripts)/[\w./-]+)", command):
            if word != "k8s/my-overlay":
                assert (ROOT / word).exists(), command


def test_every_make_target_that_a_command_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {found for command in COMMANDS for found in re.findall(r"\bmake ([a-z-]+)", command)}
    assert {"image", "train"} <= named <= targets


def commands_of(program: str) -> list[str]:
    return sorted({line for line in COMMANDS if line.startswith(f"{program} ")})


@pytest.mark.parametrize("command", commands_of("helm"))
def test_helm_knows_the_command_and_its_options(
    command: str, image_values: Path, major: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no cluster here: it gets as far as asking for one."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("KUBECONFIG", "/dev/null")
    named = command.replace(".valence/image/values.yaml", str(image_values))
    with pytest.raises(HelmError, match="cluster unreachable"):
        run_helm(major, *shlex.split(named, comments=True)[1:])


@pytest.mark.parametrize("command", commands_of("kubectl"))
def test_kubectl_knows_the_command_and_its_options(command: str, tmp_path: Path) -> None:
    arguments = shlex.split(command.replace("k8s/my-overlay", str(chart.BASES / "local")), comments=True)[1:]
    done = subprocess.run(
        [str(tools.kubectl()), *arguments, "--server=http://127.0.0.1:9"],
        env={"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert "127.0.0.1:9" in done.stderr, "it does not get as far as asking for a cluster"
    assert "refused" in done.stderr


def test_the_shell_finds_the_images_tag(image_values: Path) -> None:
    reads = {found for command in COMMANDS for found in re.findall(r"\$\((sed [^)]+)\)", command)}
    (read,) = reads
    read = read.replace(".valence/image/values.yaml", str(image_values))
    done = subprocess.run(["sh", "-c", read], capture_output=True, text=True)
    assert done.stdout == "3-0a1b\n"
