"""A row's part follows from its text alone, and what is balanced is balanced by its text too."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bento.text import row_key
from training.errors import InputError
from training.records import StageReport
from training.rows import Rows
from training.splitting import NAMES

Write = Callable[..., str]
Run = Callable[..., StageReport]

FEW = settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])


def labelled(
    count: int, prefix: str = "", labels: tuple[str, ...] = ("negative", "positive")
) -> list[tuple[str, str]]:
    return [(f"{prefix}text {number}", labels[number % len(labels)]) for number in range(count)]


def parts(root: Path) -> dict[str, Rows]:
    return {name: Rows.read(root / "silver" / "parts" / f"{name}.parquet") for name in NAMES}


def test_shares_hold_within_a_point_for_every_label(write: Write, run_stages: Run) -> None:
    labels = ("negative", "neutral", "positive")
    report = run_stages("split", write(labelled(15_000, labels=labels)))
    for label in labels:
        for name, share in {"train": 0.8, "validation": 0.1, "test": 0.1}.items():
            assert abs(report.counts[name][label] / 5_000 - share) < 0.01


@FEW
@given(st.integers(300, 500), st.integers(1, 200))
def test_new_rows_never_move_old_ones(
    write: Write, run_stages: Run, root: Path, before: int, added: int
) -> None:
    found = []
    for count in (before, before + added):
        run_stages("split", write(labelled(count)))
        found.append(parts(root))
    assert all(set(found[0][name].texts) <= set(found[1][name].texts) for name in NAMES)


@FEW
@given(
    st.lists(
        st.sampled_from(
            ["Good!", "good", "GOOD?", "so good", "So, good.", "\u00c9t\u00e9", "e\u0301t\u00e9!", ":)"]
        )
    )
)
def test_no_normal_form_is_on_both_sides(
    write: Write, run_stages: Run, root: Path, spellings: list[str]
) -> None:
    rows = [(spelling, "positive") for spelling in spellings]
    spelt = [(text.upper() + "!", label) for text, label in labelled(400)]
    run_stages("split", write(rows + labelled(400) + spelt))
    found = parts(root)
    keys = {name: {row_key(text) for text in part.texts} for name, part in found.items()}
    assert not keys["train"] & keys["validation"]
    assert not (keys["train"] | keys["validation"]) & keys["test"]


def test_every_row_lands_in_exactly_one_part_in_the_order_of_its_key(
    write: Write, run_stages: Run, root: Path
) -> None:
    rows = labelled(500)
    run_stages("split", write(rows))
    found = parts(root)
    together = [pair for part in found.values() for pair in zip(part.texts, part.labels, strict=True)]
    assert sorted(together) == sorted(rows)
    for part in found.values():
        assert part.texts == sorted(part.texts, key=row_key)


def test_a_test_file_is_the_test_part_and_no_spelling_of_it_is_learnt(
    write: Write, run_stages: Run, root: Path
) -> None:
    shared = labelled(10, "shared ")
    spelt = [(text.upper() + "!", label) for text, label in shared]
    test = write(shared, name="test.csv")
    report = run_stages("split", write(labelled(400) + shared[:5] + spelt[5:]), test=test)
    assert report.dropped == {"data": {"also in the test data": 10}, "test": {}}
    found = parts(root)
    assert sorted(found["test"].texts) == sorted(text for text, _ in shared)
    assert len(found["train"]) + len(found["validation"]) == 400


def test_the_same_file_twice_is_refused(write: Write, run_stages: Run) -> None:
    path = write(labelled(400))
    with pytest.raises(InputError, match="name two different files"):
        run_stages("split", path, test=path)


def test_excluded_rows_are_in_no_part(write: Write, run_stages: Run, root: Path) -> None:
    path = write([*labelled(400), ("!!!!", "positive")])
    report = run_stages("split", path, flag={"exclude": ["mostly_non_letters"]})
    assert report.dropped["data"] == {"excluded: mostly_non_letters": 1}
    assert report.kept["data"] == sum(map(len, parts(root).values())) == 400


def test_the_majority_is_undersampled_in_training_alone(write: Write, run_stages: Run, root: Path) -> None:
    rows = labelled(1000, "few ", ("negative",)) + labelled(6000, "many ", ("positive",))
    whole = run_stages("split", write(rows))
    before = parts(root)
    report = run_stages("split", write(rows), balance={"max_ratio": 2})
    after = parts(root)
    counts = Counter(after["train"].labels)
    assert counts["negative"] == whole.counts["train"]["negative"]
    assert counts["positive"] == pytest.approx(2 * counts["negative"], rel=0.1)
    assert report.dropped["data"] == {
        "over the quota of its label": len(before["train"]) - len(after["train"])
    }
    assert set(after["train"].texts) < set(before["train"].texts)
    assert (after["validation"], after["test"]) == (before["validation"], before["test"])


@pytest.mark.parametrize("rare", [2, 29])
def test_too_few_rows_of_a_class_say_how_many_are_needed(write: Write, run_stages: Run, rare: int) -> None:
    rows = labelled(400) + labelled(rare, "rare ", ("neutral",))
    reason = rf"at least 30 of each label are needed, neutral has {rare} .* or go without neutral rows"
    with pytest.raises(InputError, match=reason):
        run_stages("split", write(rows))
    assert run_stages("split", write(rows), clean={"neutral": "drop"}).kept == {"data": 400}


def test_the_order_of_the_rows_and_of_the_files_does_not_matter(
    write: Write, run_stages: Run, root: Path
) -> None:
    rows = labelled(400)
    written = []
    for order in (rows, rows[::-1]):
        run_stages("split", write(order))
        written.append({name: pq.read_table(root / "silver" / "parts" / f"{name}.parquet") for name in NAMES})
    assert written[0] == written[1]
