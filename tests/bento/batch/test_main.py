"""`python -m bento.batch` as it is run: what it writes, what it says, how it ends."""

import csv
import json
import os
import resource
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bento.batch.__main__ import main
from bento.package import read_package

ROOT = Path(__file__).resolve().parents[3]
WITHIN_S = 60
# A shell may have its children ignore Ctrl-C; a person's terminal does not.
HEARS_CTRL_C = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("bento.batch", run_name="__main__")
"""


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in `tmp_path`, with no settings but those of the test and no registry."""
    for name in os.environ:
        if name.startswith("VALENCE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("VALENCE_REGISTRY", f"sqlite:///{tmp_path}/none.db")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)


def test_scores_a_file_and_says_so_in_one_line(tmp_path: Path, package_dir: Path) -> None:
    (tmp_path / "in.csv").write_text("text\ngood\n\nawful\n")
    done = subprocess.run(
        [sys.executable, "-m", "bento.batch", "in.csv", "out.csv", "--model", str(package_dir)],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )
    digest = read_package(package_dir).digest
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == (
        f"out.csv: 3 rows, 1 of them without text and so left unscored, scored by lexicon {digest}\n"
    )
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        assert [row["sentiment"] for row in csv.DictReader(file)] == ["positive", "", "negative"]


def test_takes_the_model_of_the_environment(
    tmp_path: Path, package_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.csv").write_text("text\ngood\n")
    monkeypatch.setenv("VALENCE_MODEL", str(package_dir))
    monkeypatch.setattr(sys, "argv", ["bento.batch", "in.csv", "out.csv"])
    assert main() == 0


@pytest.mark.parametrize(
    ("arguments", "variables", "reason"),
    [
        (["none.csv", "out.csv"], {}, "none.csv: no such file; name a CSV file that is there"),
        ([".", "out.csv"], {}, ".: is a folder; name a CSV file in it"),
        (["in.csv", "out.parquet"], {}, "out.parquet: what is written is CSV; name a file that ends in .csv"),
        (["in.csv", "nowhere/out.csv"], {}, "nowhere/out.csv: cannot be written"),
        (["in.csv", "in.csv"], {}, "would overwrite the file that is read"),
        (["in.csv", "out.csv", "--model", "nowhere"], {}, "nowhere: no model package there"),
        (["in.csv", "out.csv", "--model", "models:/x/1"], {}, "'make train' makes one"),
        (
            ["in.csv", "out.csv"],
            {"VALENCE_MODEL_DIGEST": f"sha256:{'0' * 64}"},
            "not the required sha256:0000",
        ),
        (["in.csv", "out.csv"], {"VALENCE_LANES": "many"}, "VALENCE_LANES"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(
    tmp_path: Path,
    package_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    variables: dict[str, str],
    reason: str,
) -> None:
    (tmp_path / "in.csv").write_text("text\ngood\n")
    for name, value in {"VALENCE_MODEL": str(package_dir), **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["bento.batch", *arguments])
    assert main() == 2
    said = capsys.readouterr().err
    assert said.startswith("bento.batch: ")
    assert reason in said
    assert said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_a_full_disk_is_named_and_leaves_what_was_there(tmp_path: Path, package_dir: Path) -> None:
    """A limit on the size of files stands for the disk: writing fails in the same places."""
    (tmp_path / "in.csv").write_text("text\n" + "so good\n" * 5_000)
    (tmp_path / "out.csv").write_text("before")

    def fill_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    done = subprocess.run(
        [sys.executable, "-m", "bento.batch", "in.csv", "out.csv", "--model", str(package_dir)],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        preexec_fn=fill_disk,
        # Coverage would write too, and complain.
        env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")},
    )
    assert done.returncode == 2
    assert done.stderr.startswith("bento.batch: out.csv: File too large; free some space and run it again")
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "out.csv").read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def test_ctrl_c_ends_it_without_a_traceback_and_without_a_trace(tmp_path: Path, package_dir: Path) -> None:
    source = tmp_path / "in.csv"
    os.mkfifo(source)
    command = [sys.executable, "-c", HEARS_CTRL_C, "in.csv", "out.csv", "--model", str(package_dir)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def read_when_it_ended() -> None:
        process.wait()
        os.close(os.open(source, os.O_RDONLY | os.O_NONBLOCK))

    with ThreadPoolExecutor(1) as pool:
        pool.submit(read_when_it_ended)  # else a command that never reads would leave the test waiting
        with source.open("w"):  # opens once the command reads
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 130
    assert said == "bento.batch: interrupted; nothing was written\n"
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_help_tells_what_becomes_of_blank_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bento.batch", "--help"])
    with pytest.raises(SystemExit, match=r"^0$"):
        main()
    assert "A blank line is such a row in a file of one column" in " ".join(capsys.readouterr().out.split())


def test_tells_what_it_cost(tmp_path: Path, package_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in.csv").write_text("id, text \n1,good\n2,\n3,awful\n")
    options = ["--model", str(package_dir), "--measure", "cost.json"]
    monkeypatch.setattr(sys, "argv", ["bento.batch", "in.csv", "out.csv", *options])
    assert main() == 0
    cost = json.loads((tmp_path / "cost.json").read_text())
    assert cost["rows"] == 3
    assert cost["seconds"] > 0
    assert cost["cpu_ms_per_text"] > 0
    assert 0 < cost["alone_ms"]["p50"] <= cost["alone_ms"]["p99"]
    assert cost["max_rss_mib"] > 10
