"""Learning stops by itself, keeps what was best, and goes on after an interruption as if there was none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertForSequenceClassification

from tests.training.families.transformer.tiny import tiny_bert
from training.families.transformer import checkpoint
from training.families.transformer.batches import Encoded
from training.families.transformer.finetune import finetune
from training.families.transformer.recipe import Params

RECIPE = Params(
    base="tiny",
    max_epochs=6,
    patience=6,
    batch_size=8,
    learning_rate=5e-3,
    layer_decay=0.9,
    warmup_share=0.1,
    weight_decay=0.01,
    label_smoothing=0.1,
    average_epochs=0.25,
    max_tokens=16,
    seed=0,
)


def rows(count: int, seed: int, *, noise: bool = False) -> Encoded:
    """Texts whose first word says what they are, or, as noise, whose label follows from nothing."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 2, count)
    words = random.integers(0, 2, count) if noise else truth
    ids = [[10 + int(word), *random.integers(20, 50, random.integers(2, 12)).tolist()] for word in words]
    return Encoded(ids, torch.tensor(truth))


TRAIN, VALIDATION = rows(96, 1), rows(60, 2)


def learn(
    unfinished: Path | None = None, train: Encoded = TRAIN, **changes: object
) -> tuple[BertForSequenceClassification, list[tuple[float, float]]]:
    one = tiny_bert()
    recipe = RECIPE.model_copy(update=changes)
    return one, finetune(one, train, VALIDATION, recipe, what="learning", unfinished=unfinished)


def weights(one: torch.nn.Module) -> torch.Tensor:
    return torch.cat([part.detach().flatten() for part in one.parameters()])


def test_it_learns_what_there_is_to_learn() -> None:
    _, looks = learn()
    assert looks[-1][1] > 0.95
    assert [epoch for epoch, _ in looks] == [number / 2 for number in range(1, 13)]


def test_the_same_seed_gives_the_same_model_and_another_another() -> None:
    once, again, other = (learn(max_epochs=1, seed=seed)[0] for seed in (1, 1, 2))
    assert torch.equal(weights(once), weights(again))
    assert not torch.equal(weights(once), weights(other))


@pytest.mark.parametrize("steps", [12, 13])
def test_it_stops_when_validation_gets_no_better_and_keeps_the_best(tmp_path: Path, steps: int) -> None:
    noise = rows(steps * RECIPE.batch_size, 3, noise=True)
    one, looks = learn(tmp_path / "train.pt", noise, max_epochs=40, patience=1)
    best = max(looks, key=lambda look: look[1])
    assert looks[-1][0] == pytest.approx(best[0] + 1, abs=1.5 / steps)
    assert looks[-1][0] < 40
    kept = torch.load(tmp_path / "train.pt", weights_only=True)["best"]
    assert all(torch.equal(kept[name], part) for name, part in one.named_parameters())


def test_a_taste_ends_after_so_many_steps_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    _, looks = learn(max_steps=9)
    assert [round(epoch * 12) for epoch, _ in looks] == [3, 6, 9]
    said = capsys.readouterr().out
    told = [line.split()[1] for line in said.splitlines() if "macro-F1" in line]
    assert told == ["0.25:", "0.50:", "0.75:"]
    assert "stopped after 9 steps (max_steps), 0.75 epochs" in said


@pytest.mark.parametrize("interrupted_after", [1, 4])
def test_an_interrupted_run_comes_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted_after: int
) -> None:
    whole, looks = learn()
    save, saved = checkpoint.save, 0

    def interrupt(path: Path, state: dict[str, Any]) -> None:
        nonlocal saved
        save(path, state)
        saved += 1
        if saved == interrupted_after:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", interrupt)
    with pytest.raises(KeyboardInterrupt):
        learn(tmp_path / "train.pt")
    resumed, looks_again = learn(tmp_path / "train.pt")
    assert saved == 12  # nothing was learnt twice
    assert looks_again == looks
    assert torch.equal(weights(resumed), weights(whole))


def test_a_run_of_another_recipe_or_other_rows_begins_anew(tmp_path: Path) -> None:
    learn(tmp_path / "train.pt", max_epochs=1)
    for train, changes in ((TRAIN, {"seed": 5}), (rows(96, 9), {})):
        fresh, _ = learn(None, train, max_epochs=1, **changes)
        beside, _ = learn(tmp_path / "train.pt", train, max_epochs=1, **changes)
        assert torch.equal(weights(fresh), weights(beside))
