"""What `conftest.py` promises, of tests that are run for that in a pytest of their own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")
SKIPPED = {
    "module": "import pytest\npytest.importorskip('no_such_module')\ndef test(): pass\n",
    "test": "import pytest\ndef test(): pytest.skip('no such thing')\n",
    "mark": "import pytest\n@pytest.mark.skip(reason='no')\ndef test(): pass\n",
}


def run_pytest(
    folder: Path, content: str, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    shutil.copy(CONFTEST, folder)
    (folder / "test_one.py").write_text(content)
    inherited = {name: os.environ[name] for name in os.environ.keys() - {"CI", "VALENCE_NO_SKIPS"}}
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(folder),
            *arguments,
        ],
        cwd=folder,
        env=inherited | environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("workers", ["0", "1"])
@pytest.mark.parametrize("content", SKIPPED.values(), ids=SKIPPED.keys())
def test_a_skip_fails_where_it_is_forbidden(tmp_path: Path, content: str, workers: str) -> None:
    done = run_pytest(tmp_path, content, "-n", workers, VALENCE_NO_SKIPS="1")
    assert done.returncode not in (0, 5), done.stdout
    assert "was skipped, and VALENCE_NO_SKIPS forbids that" in done.stdout


@pytest.mark.parametrize("content", SKIPPED.values(), ids=SKIPPED.keys())
def test_a_skip_is_a_skip_elsewhere(tmp_path: Path, content: str) -> None:
    done = run_pytest(tmp_path, content)
    assert "1 skipped" in done.stdout
    assert "failed" not in done.stdout


@pytest.mark.parametrize(("ci", "derandomised"), [("true", True), ("", False)])
def test_hypothesis_has_no_deadline_and_no_luck_in_ci(tmp_path: Path, ci: str, *, derandomised: bool) -> None:
    content = (
        "from hypothesis import settings\n"
        "def test():\n"
        "    assert settings.default.deadline is None\n"
        f"    assert settings.default.derandomize is {derandomised}\n"
    )
    done = run_pytest(tmp_path, content, CI=ci)
    assert done.returncode == 0, done.stdout
