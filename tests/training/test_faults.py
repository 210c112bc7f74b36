"""Every stage of training: what is wrong is named, and what goes wrong leaves nothing half done."""

import csv
import hashlib
import shutil
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import yaml

from tests.training.apart import Ran, fill_disk, run, stop_at
from tests.training.families.transformer.tiny import BASES, write_base
from tests.training.packaged import ROOT
from training import tracking
from training.records import MODEL_NAME

DATA_STAGES = ["ingest", "clean", "validate", "flag", "split"]
MODULES = {
    **{stage: [f"training.stages.{stage}"] for stage in DATA_STAGES},
    "train": ["training.train", "tfidf_logreg"],
    "package": ["training.pack", "tfidf_logreg"],
    "evaluate": ["training.evaluate_package", "tfidf_logreg"],
    "compare": ["training.compare"],
    "register": ["training.register"],
}
STAGES = list(MODULES)
ROWS_PER_LABEL = 100


class Place:
    """A folder in which stages run as DVC runs them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"}
        self.set_recipe()

    def set_recipe(self, **changes: object) -> None:
        params = yaml.safe_load((ROOT / "params.yaml").read_text())
        params["data"]["path"] = "texts.csv"
        params["train"]["transformer"] |= {"max_steps": 9, "max_tokens": 16} | changes
        (self.folder / "params.yaml").write_text(yaml.safe_dump(params))

    def write_texts(self, content: str) -> None:
        (self.folder / "texts.csv").write_text(content)

    def run(self, *words: str, first: Callable[[], object] | None = None, **environment: str) -> Ran:
        return run(self.folder, list(words), self.environment | environment, first)

    def stage(self, name: str, first: Callable[[], object] | None = None, **environment: str) -> Ran:
        return self.run(*MODULES[name], first=first, **environment)

    def left(self) -> dict[str, str]:
        """Return a hash of every file that the stages left."""
        files = sorted((self.folder / "artifacts").rglob("*"))
        return {
            str(file.relative_to(self.folder)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in files
            if file.is_file()
        }


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A folder in which every stage ran once."""
    place = Place(tmp_path_factory.mktemp("faults"))
    place.write_texts(few_texts())
    for name in STAGES:
        ran = place.stage(name)
        assert ran.returncode == 0, ran.stderr
    return place


@pytest.fixture
def done(whole: Place, tmp_path: Path) -> Place:
    """A place of the test's own in which every stage ran once."""
    shutil.copytree(whole.folder, tmp_path, dirs_exist_ok=True)
    return Place(tmp_path)


def few_texts() -> str:
    rows: dict[str, list[str]] = {"negative": [], "neutral": [], "positive": []}
    with (ROOT / "training" / "corpus" / "products.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows[row["label"]].append(row["text"].replace('"', ""))
    lines = [f'"{text}",{label}' for label, texts in rows.items() for text in texts[:ROWS_PER_LABEL]]
    return "text,label\n" + "\n".join(lines) + "\n"


def assert_told(ran: Ran, code: int, *words: str) -> None:
    assert ran.returncode == code, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.stderr.startswith("error: ")
    for word in words:
        assert word in ran.stderr


@pytest.mark.parametrize(
    ("content", "stage", "reason"),
    [
        ("", "ingest", "the file is empty"),
        ("text,label\n", "validate", "no row"),
        ("review,label\nx,positive\n", "ingest", "no column text"),
        (
            "text,label\n"
            + "".join(f"good {n},positive\nbad {n},negative\n" for n in range(60))
            + "it,neutral\nis,neutral\n",
            "split",
            "at least 30 of each label are needed, neutral has 2",
        ),
    ],
)
def test_texts_that_cannot_be_used_are_refused_by_the_first_stage_that_knows(
    place: Place, content: str, stage: str, reason: str
) -> None:
    place.write_texts(content)
    for name in DATA_STAGES:
        ran = place.stage(name)
        if name == stage:
            assert_told(ran, 2, reason)
            return
        assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_without_the_one_before_it_says_so(place: Place, name: str) -> None:
    ran = place.stage(name)  # there are not even texts
    if name == "ingest":
        assert_told(ran, 2, "texts.csv: no such file")
    else:
        assert_told(ran, 1, "`dvc repro`")
    assert place.left() == {}


@pytest.mark.parametrize("name", [name for name in STAGES if name != "register"])
def test_a_full_disk_leaves_what_was_there(done: Place, name: str) -> None:
    before = done.left()
    where = "mlflow.db" if name == "package" else "artifacts/"  # whichever is the first to be written
    assert_told(done.stage(name, first=fill_disk), 1, where, "space")
    assert done.left() == before


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_that_is_killed_leaves_nothing_half_done_and_runs_again(done: Place, name: str) -> None:
    before = done.left()
    ran = done.stage(name, first=partial(stop_at, signal.SIGKILL, 1))
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    after = done.left()
    if name != "package":  # its package was whole, and in its place, before what is told of it
        assert all(after[path] == before[path] for path in after.keys() & before.keys())
    assert done.stage(name).returncode == 0
    assert set(done.left()) == set(before)


def test_what_a_killed_packaging_left_is_cleared_away(done: Place) -> None:
    killed = done.stage("package", first=partial(stop_at, signal.SIGKILL, 1, "rename"))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    folder = done.folder / "artifacts" / "tfidf_logreg"
    assert list(folder.glob(".package-*"))
    assert done.stage("package").returncode == 0
    assert not list(folder.glob(".package-*"))


@pytest.mark.parametrize("name", ["split", "train"])
def test_a_stage_that_somebody_interrupts_leaves_what_was_there(done: Place, name: str) -> None:
    before = done.left()
    ran = done.stage(name, first=partial(stop_at, signal.SIGINT, 1))
    assert ran.returncode == 130, ran.stderr
    assert ran.stderr == "interrupted; what finished is kept, the same command goes on from there\n"
    assert done.left() == before


def test_a_killed_fine_tuning_goes_on_and_comes_to_the_same_model(done: Place) -> None:
    base = write_base(done.folder / "base", BASES["distilbert"])
    done.set_recipe(base=str(base))

    def train(first: Callable[[], object] | None = None) -> Ran:
        return done.run("training.train", "transformer", first=first)

    folder = done.folder / "artifacts" / "transformer"
    whole = train()
    assert whole.returncode == 0, whole.stderr
    graph = (folder / "fitted" / "model.onnx").read_bytes()
    curve = (folder / "learning.csv").read_bytes()
    (folder / "learning.csv").unlink()
    killed = train(partial(stop_at, signal.SIGKILL, 2))  # about to keep its second look at validation
    assert killed.returncode == -signal.SIGKILL
    assert (folder / "unfinished" / "train.pt").exists()
    resumed = train()
    assert resumed.returncode == 0, resumed.stderr
    assert "goes on from step" in resumed.stdout
    assert (folder / "fitted" / "model.onnx").read_bytes() == graph
    assert (folder / "learning.csv").read_bytes() == curve
    assert not (folder / "unfinished").exists()


def test_a_base_model_that_cannot_be_fetched_is_named_with_what_to_do(done: Place) -> None:
    base = "example-organisation/no-such-model"
    done.set_recipe(base=base)
    ran = done.run("training.train", "transformer")
    assert_told(
        ran, 1, f"train.transformer.base: the model {base} cannot be loaded", "Connect to huggingface.co"
    )


def test_a_tracking_server_that_is_down_stops_nothing_before_the_registry(done: Place) -> None:
    nobody = "http://127.0.0.1:9"  # the port for what is thrown away
    down = {"MLFLOW_TRACKING_URI": nobody, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    for name in ("package", "evaluate", "compare"):
        ran = done.stage(name, None, **down)
        assert ran.returncode == 0, ran.stderr
    assert_told(done.stage("register", None, **down), 1, f"MLflow does not answer at {nobody}")
    logged = done.run("training.kept_runs")
    assert "kept here, is run" in logged.stdout
    assert "`dvc repro` goes on from there" in logged.stdout
    back = done.stage("register")
    assert back.returncode == 0, back.stderr
    assert "valence-sentiment version 2" in back.stdout
    assert "staging: 1 -> 2" in back.stdout
    client = tracking.open_at(done.environment["MLFLOW_TRACKING_URI"])
    run_id = client.get_model_version(MODEL_NAME, "2").run_id
    assert run_id is not None
    assert {Path(file.path).name for file in client.list_artifacts(run_id, "evaluation")} == {
        "assessment.json",
        "predictions.csv",
    }
    assert "test_ece" in client.get_run(run_id).data.metrics


def test_an_experiment_leaves_staging_where_it_is(done: Place) -> None:
    assert done.stage("package").returncode == 0  # of a new run, and so another package
    for name in ("evaluate", "compare"):
        assert done.stage(name).returncode == 0
    ran = done.stage("register", None, DVC_EXP_BASELINE_REV="0" * 40)
    assert ran.returncode == 0, ran.stderr
    assert "staging: 1, as this is an experiment" in ran.stdout
    assert "training.promote 2" in ran.stdout
