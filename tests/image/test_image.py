"""What is in the image, and what is not."""

from tests.image.conftest import VERSION, Image

LIMIT_MB = 450
LARGEST_MODEL_MB = 150
NEVER = ["torch", "mlflow", "pandas", "transformers", "sklearn", "pip", "dvc"]


def test_it_is_small(image: Image) -> None:
    """The bar is 450 MB beyond the Python base, the model included."""
    assert sum(layer["size"] for layer in image.layers) / 1e6 < LIMIT_MB - LARGEST_MODEL_MB


def test_a_layer_each_for_dependencies_model_and_code(image: Image) -> None:
    sizes = {
        target: layer["size"]
        for layer in image.layers
        for target in ("/opt/venv", "/app/model", "/app")
        if layer["CreatedBy"].split(" in ")[-1].strip().removesuffix(" ") == target
    }
    assert set(sizes) == {"/opt/venv", "/app/model", "/app"}
    assert len(image.layers) == len(sizes)
    assert sizes["/app"] < 2e6, "code alone"


def test_its_labels_tell_what_is_in_it(image: Image) -> None:
    labels = image.inspected["Labels"]
    assert labels["valence.model.digest"] == image.digest
    assert labels["valence.model.version"] == VERSION
    assert labels["valence.model.run-id"] == "0123456789abcdef"
    assert labels["org.opencontainers.image.version"] == VERSION
    assert labels["org.opencontainers.image.revision"] == image.commit


def test_helm_is_told_the_same(image: Image) -> None:
    pinned = {"name": "valence-sentiment", "version": VERSION, "digest": image.digest}
    assert image.values["model"] == pinned
    assert image.values["image"]["tag"].startswith(f"{VERSION}-")


def test_it_runs_as_nobody_in_particular(image: Image) -> None:
    assert image.inspected["Config"]["User"] == "10001:10001"
    assert image.run("id", "-u").strip() == "10001"


def test_nothing_in_it_can_be_changed_by_who_runs_it(image: Image) -> None:
    writable = image.run("find", "/app", "/opt/venv", "-writable", "-not", "-type", "l")
    assert writable == ""


def test_what_training_needs_is_not_in_it(image: Image) -> None:
    code = "import importlib.util, sys; print(*filter(importlib.util.find_spec, sys.argv[1:]))"
    assert image.run("python", "-c", code, *NEVER).strip() in ("", "pip"), "pip is the base's at most"


def test_no_compiler_is_in_it(image: Image) -> None:
    code = "import shutil; print(*filter(shutil.which, ['gcc', 'cc', 'g++', 'clang', 'make', 'git']))"
    assert image.run("python", "-c", code).strip() == ""


def test_the_host_of_the_build_left_nothing_behind(image: Image) -> None:
    found = image.run("sh", "-c", "ls -A /run/secrets /app; ls /opt/venv/bin/pip 2>/dev/null; true").split()
    assert set(found) - {"/app:", "/run/secrets:"} <= {"bento", "model"}


def test_the_code_is_compiled_as_the_root_is_read_only(image: Image) -> None:
    assert "api.cpython-311.pyc" in image.run("ls", "/app/bento/__pycache__")
