"""Folders import only what docs/architecture.md allows."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("bento", "training", "k8s", "benchmarks", "scripts", "tests")
ALLOWED = {
    "bento": {"bento"},
    "training": {"training", "bento.package", "bento.scorer", "bento.text"},
    "k8s": {"k8s"},
    "benchmarks": {"benchmarks", "bento", "training"},
    "scripts": {"scripts"},
}
SERVER_NEVER_IMPORTS = {"torch", "transformers", "mlflow", "pandas", "sklearn", "dvc", "onnx", "matplotlib"}
MODULES = sorted(path for folder in ALLOWED for path in (ROOT / folder).rglob("*.py"))


def imported_modules(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_folder_imports_only_what_it_may(path: Path) -> None:
    allowed = ALLOWED[path.relative_to(ROOT).parts[0]]
    for module in imported_modules(path):
        if module.split(".")[0] in FOLDERS:
            assert any(module == name or module.startswith(f"{name}.") for name in allowed), module


def test_the_server_needs_nothing_of_training() -> None:
    """`bento.service` is imported in a fresh interpreter, and none of training's libraries comes with it."""
    code = "import sys, bento.service; print(*{name.split('.')[0] for name in sys.modules})"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert not SERVER_NEVER_IMPORTS & set(answer.stdout.split())


@pytest.mark.parametrize("module", ["bento.package", "bento.scorer", "bento.text"])
def test_what_training_shares_with_serving_pulls_in_no_bentoml(module: str) -> None:
    code = f"import sys, {module}; print('bentoml' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert answer.stdout.strip() == "False"
