"""What a stage leaves is whole, or what was there before."""

from pathlib import Path

import pytest

from training.stages.folders import new_folder


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_it_takes_the_place_of_the_former(tmp_path: Path) -> None:
    for text in ("old", "new"):
        with new_folder(tmp_path / "deep" / "rows") as folder:
            (folder / text).write_text(text)
    assert content(tmp_path / "deep" / "rows") == {"new": "new"}


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_what_fails_leaves_the_former(tmp_path: Path, error: type[BaseException]) -> None:
    with new_folder(tmp_path / "rows") as folder:
        (folder / "old").write_text("old")

    def fail() -> None:
        with new_folder(tmp_path / "rows") as folder:
            (folder / "half").write_text("ha")
            raise error

    with pytest.raises(error):
        fail()
    assert content(tmp_path / "rows") == {"old": "old"}
    assert [path.name for path in tmp_path.iterdir()] == ["rows"]


def test_what_a_killed_run_left_is_gone(tmp_path: Path) -> None:
    (tmp_path / ".rows.part").mkdir()
    (tmp_path / ".rows.part" / "half").write_text("ha")
    with new_folder(tmp_path / "rows") as folder:
        (folder / "whole").write_text("whole")
    assert content(tmp_path / "rows") == {"whole": "whole"}
