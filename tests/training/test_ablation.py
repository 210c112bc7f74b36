"""The table of ingredients, at a size that learns nothing."""

from pathlib import Path

import pytest

from tests.training.apart import Ran, run
from tests.training.families.transformer.tiny import BASES, write_base
from tests.training.packaged import ROOT
from training.ablation import ABLATION, RECIPE, variants
from training.families import transformer
from training.params import read_params, section

TINY = ["base=base", "max_steps=2", "batch_size=4", "max_tokens=8"]


def ablate(folder: Path, *words: str) -> Ran:
    settings = [word for one in TINY for word in ("--set", one)]
    return run(folder, ["training.ablation", *settings, *words])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with parameters, a base model of no size, and texts of two labels."""
    made = tmp_path_factory.mktemp("ablation")
    write_base(made / "base", BASES["distilbert"])
    (made / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    lines = [f"text {number} is {word},{word}" for number in range(100) for word in ("positive", "negative")]
    (made / "texts.csv").write_text("text,label\n" + "\n".join(lines) + "\n")
    (made / "other.csv").write_text("text,label\nfine,positive\nawful,negative\nso dull,negative\n")
    return made


def test_each_ingredient_has_a_row_and_a_second_run_trains_nothing(folder: Path) -> None:
    words = ["--data", "texts.csv", "--related", "other.csv"]
    done = ablate(folder, *words)
    assert done.returncode == 0, done.stderr
    table = (folder / ABLATION / "texts" / "ablation.md").read_text()
    names = [line.split("|")[1].strip() for line in table.splitlines()[2:]]
    assert names[0] == RECIPE
    assert names[-1] == "pre-training on other"
    assert len(names) == len(set(names)) == 10
    assert table in done.stdout
    assert not list((folder / ABLATION).rglob("unfinished"))
    again = ablate(folder, *words)
    assert "fine-tuning" in done.stdout
    assert "fine-tuning" not in again.stdout
    assert table in again.stdout


def test_every_variant_changes_one_thing_that_the_recipe_has() -> None:
    recipe = section(read_params(ROOT / "params.yaml"), "train.transformer", transformer.Params)
    for name, changes in variants(recipe, ["other.csv"]):
        assert set(changes) <= set(transformer.Params.model_fields)
        assert len(changes) == (0 if name == RECIPE else 1) or "textbooks" in name
        assert all(getattr(recipe, key) != value for key, value in changes.items() if "textbooks" not in name)


@pytest.mark.parametrize(
    ("word", "reason"),
    [("max_steps", "expected is KEY=VALUE"), ("epochs=3", "train.transformer.epochs: Extra inputs")],
)
def test_a_wrong_setting_is_named(folder: Path, word: str, reason: str) -> None:
    done = ablate(folder, "--set", word)
    assert done.returncode == 2
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
