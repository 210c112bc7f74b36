"""DVC runs the pipeline: only what a change concerns, with experiments, figures, and a remote on S3."""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3  # type: ignore[import-untyped]
import pytest
import yaml
from moto.server import ThreadedMotoServer

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
ROWS_PER_LABEL = 120
WITHIN_S = 1800  # a guard against a run that hangs, on any machine
BUCKET = "valence"
FAMILIES = ["svm", "svm_smote", "tfidf_logreg", "transformer"]


@dataclass
class Project:
    """A clone of the project with few rows, in which everything ran once."""

    folder: Path
    environment: dict[str, str]
    printed: str = ""

    def dvc(self, *words: str) -> str:
        return self.run("dvc", *words)

    def run(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def git(self, *words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=self.folder, check=True, capture_output=True, text=True
        ).stdout

    def change(self, section: str, name: str, value: object) -> None:
        path = self.folder / "params.yaml"
        params = yaml.safe_load(path.read_text())
        place = params
        for part in section.split("."):
            place = place[part]
        place[name] = value
        path.write_text(yaml.safe_dump(params, sort_keys=False))

    def changed_stages(self) -> set[str]:
        found = json.loads(self.dvc("status", "--json"))
        return {name for name, why in found.items() if any("changed deps" in entry for entry in why)}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("pipeline") / "project"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True, capture_output=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file() and name != "dvc.lock" and not name.startswith("training/corpus"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    _write_corpus(folder / "training" / "corpus" / "few.csv")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")} | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    made = Project(folder, environment)
    made.change("train.transformer", "max_steps", 6)
    made.git("init", "--quiet")
    made.git("config", "user.email", "test@example.org")
    made.git("config", "user.name", "Test")
    made.git("add", "--all")
    made.git("commit", "--quiet", "--message", "All there is.")
    made.printed = made.run("training.repro")
    return made


def _write_corpus(path: Path) -> None:
    rows: dict[str, list[str]] = {"negative": [], "neutral": [], "positive": []}
    for name in ("plain_criticism", "products"):
        with (ROOT / "training" / "corpus" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                rows[row["label"]].append(row["text"])
    path.parent.mkdir()
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for label, texts in rows.items():
            writer.writerows([text, label] for text in texts[:ROWS_PER_LABEL])


def test_every_arrow_leaves_its_outcome(project: Project) -> None:
    artifacts = project.folder / "artifacts"
    for name in ("model_comparison.csv", "model_evaluation.json", "report.html"):
        assert (artifacts / "comparison" / name).stat().st_size > 0
    with (artifacts / "comparison" / "model_comparison.csv").open(newline="") as file:
        families = [row["family"] for row in csv.DictReader(file)]
    assert sorted(families) == FAMILIES
    assert json.loads((artifacts / "registration.json").read_text())["family"] == families[0]


def test_the_report_fetches_nothing_and_runs_nothing(project: Project) -> None:
    page = (project.folder / "artifacts" / "comparison" / "report.html").read_text()
    for word in ("<script", "http://", "https://", "url(", "@import", "<link", "<img"):
        assert word not in page
    assert page.count("<svg") >= 7


def test_nobody_is_told_to_commit_the_lock_or_to_push(project: Project) -> None:
    assert "Running stage 'register'" in project.printed
    assert "git add" not in project.printed
    assert "dvc push" not in project.printed


def test_a_second_run_does_nothing(project: Project) -> None:
    assert "Running stage" not in project.dvc("repro")


@pytest.mark.parametrize(
    ("section", "name", "value", "stages"),
    [
        ("train.svm", "C", [0.7], {"train@svm"}),
        ("embed", "max_tokens", 64, {"embed"}),
        ("train.tfidf_logreg", "min_df", 3, {"train@tfidf_logreg"}),
        ("train.transformer", "max_steps", 9, {"train@transformer"}),
        ("package", "promise", 0.9, {f"package@{name}" for name in FAMILIES}),
        ("data.flag", "min_chars", 4, {"flag"}),
        ("gate", "max_package_mb", 1, set()),
    ],
)
def test_a_parameter_concerns_its_own_stages_alone(
    project: Project, section: str, name: str, value: object, stages: set[str]
) -> None:
    before = (project.folder / "params.yaml").read_bytes()
    try:
        project.change(section, name, value)
        assert project.changed_stages() == stages
    finally:
        (project.folder / "params.yaml").write_bytes(before)


def test_metrics_and_plots_are_shown(project: Project, tmp_path: Path) -> None:
    shown = json.loads(project.dvc("metrics", "show", "--json"))
    figures = {path: file["data"] for path, file in shown[""]["data"].items()}
    assert set(figures) == {f"artifacts/{name}/metrics.json" for name in FAMILIES}  # a row for each
    assert {"macro_f1", "ece", "certain_share"} <= set(figures["artifacts/svm/metrics.json"])
    project.dvc("plots", "show", "--out", str(tmp_path))
    page = (tmp_path / "index.html").read_text()
    for title in (
        "confusion of svm",
        "confusion of transformer",
        "macro-F1 on validation by rows learnt from",
        "macro-F1 on validation by epoch",
        "share right by confidence",
    ):
        assert title in page


def test_an_experiment_runs_beside_what_is_committed(project: Project) -> None:
    told = project.dvc(
        "exp", "run", "--name", "fewer-words", "-S", "train.tfidf_logreg.min_df=4", "evaluate@tfidf_logreg"
    )
    assert "Running stage 'train@tfidf_logreg'" in told
    assert "Running stage 'train@svm'" not in told
    shown = csv.DictReader(project.dvc("exp", "show", "--csv").splitlines())
    (row,) = (row for row in shown if row["Experiment"] == "fewer-words")
    assert 0 < float(row["artifacts/tfidf_logreg/metrics.json:macro_f1"]) < 1
    listed = project.git("status", "--porcelain")
    assert {line[3:] for line in listed.splitlines()} <= {"params.yaml", "dvc.lock"}
    project.git("checkout", "params.yaml")


@pytest.fixture
def s3() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        _, port = server.get_host_and_port()
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()


def test_a_remote_on_s3_brings_back_what_is_gone(project: Project, s3: str) -> None:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=s3, **keys).create_bucket(Bucket=BUCKET)
    project.dvc("remote", "add", "--local", "--force", "--default", "store", f"s3://{BUCKET}/dvc")
    project.dvc("remote", "modify", "--local", "store", "endpointurl", s3)
    project.dvc("repro")
    predictions = project.folder / "artifacts" / "tfidf_logreg" / "predictions.csv"
    content = predictions.read_bytes()
    project.dvc("push", "package@tfidf_logreg")
    predictions.unlink()
    shutil.rmtree(project.folder / ".dvc" / "cache")
    project.dvc("pull", "package@tfidf_logreg")
    assert predictions.read_bytes() == content
