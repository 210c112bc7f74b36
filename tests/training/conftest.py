"""Small real data, and every family trained on it once."""

from pathlib import Path

import pytest

from tests.training.packaged import Packaged, make_packaged, small_parts
from training import families, tracking
from training.embed import embed
from training.families import Beside, Fitted
from training.families.embeddings import Params as Embedding
from training.params import read_params, section
from training.rows import Rows

ROOT = Path(__file__).resolve().parents[2]
LABELS = ("negative", "neutral", "positive")
OTHER_PARAMS: dict[str, dict[str, object]] = {  # as there are so few rows
    "transformer": {"max_steps": 60, "max_epochs": 4, "learning_rate": 3e-4, "batch_size": 16}
}


@pytest.fixture(scope="session")
def parts() -> dict[str, Rows]:
    """Parts as the data stages make them."""
    return small_parts()


@pytest.fixture(scope="session", params=sorted(families.FAMILIES))
def family(request: pytest.FixtureRequest) -> str:
    """The name of a family; a test that uses it runs for each."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def embeddings(parts: dict[str, Rows], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stage `embed` leaves of the small data."""
    folder = tmp_path_factory.mktemp("data") / "embeddings"
    params = section(read_params(ROOT / "params.yaml"), "embed", Embedding)
    embed(parts["train"], parts["validation"], params, folder)
    return folder


@pytest.fixture(scope="session")
def fitted(family: str, parts: dict[str, Rows], request: pytest.FixtureRequest) -> Fitted:
    """A family trained on the small data with the project's own parameters, or nearly so."""
    module = families.load(family)
    params = section(read_params(ROOT / "params.yaml"), f"train.{family}", module.Params)
    params = params.model_copy(update=OTHER_PARAMS.get(family, {}))
    # Only some families need them, and they take seconds.
    made = request.getfixturevalue("embeddings") if family.startswith("svm") else None
    return module.fit(parts["train"], parts["validation"], LABELS, params, Beside(embeddings=made))


@pytest.fixture(scope="session")
def packaged(parts: dict[str, Rows], tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    """A small package with what was measured on it."""
    return make_packaged(tmp_path_factory.mktemp("tfidf_logreg"), parts, run_id="0" * 32)


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database in which nothing is: a copy takes a moment, making one takes seconds."""
    path = tmp_path_factory.mktemp("registry") / "mlflow.db"
    tracking.open_at(f"sqlite:///{path}")
    return path
