"""Embeddings are found again by their texts, and samples are even."""

from pathlib import Path

import numpy as np
import pytest

from training.families.embeddings import Reader
from training.families.embeddings.encoder import load_encoder, make_reader
from training.families.embeddings.kept import Kept, limit
from training.rows import Rows

TEXTS = ["good", "bad", "on tuesday"]
ROWS = Rows(["bad", "unknown", "good"], ["negative", "neutral", "positive"])


@pytest.fixture(scope="module")
def reader() -> Reader:
    return make_reader(load_encoder(), 8)


def test_they_come_back_as_they_were_written(reader: Reader, tmp_path: Path) -> None:
    vectors = reader.embed(TEXTS)
    Kept(reader, TEXTS, vectors).write(tmp_path / "embeddings")
    kept = Kept.read(tmp_path / "embeddings")
    found, labels = kept.of(ROWS)
    np.testing.assert_array_equal(found, vectors[[1, 0]])
    assert labels == ["negative", "positive"]
    np.testing.assert_array_equal(kept.reader.embed(TEXTS), vectors)


def test_a_sample_has_every_label_by_its_share_and_in_order() -> None:
    labels = ["negative"] * 600 + ["positive"] * 390 + ["neutral"] * 30
    rows = Rows([str(number) for number in range(len(labels))], labels)
    picked = limit(rows, 102)
    assert picked.count() == {"negative": 60, "neutral": 25, "positive": 39}
    places = [int(text) for text in picked.texts]
    assert places == sorted(set(places))
    assert [labels[place] for place in places] == picked.labels
    assert limit(rows, len(rows)) == rows
