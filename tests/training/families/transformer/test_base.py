"""Other models than MiniLM are fine-tuned and served alike, or refused before anybody waits."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from bento.package import LABELS
from bento.scorer import Scorer, load_tokenizer
from tests.training.families.transformer.tiny import BASES, write_base
from training.errors import TrainingError
from training.export import measure, write
from training.families import transformer
from training.families.transformer.base import load_base
from training.params import read_params, section
from training.rows import Rows

ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.parametrize("kind", sorted(BASES))
def test_a_model_of_another_kind_is_served_as_it_was_trained(
    kind: str, parts: dict[str, Rows], tmp_path: Path
) -> None:
    base = write_base(tmp_path / kind, BASES[kind])
    params = section(read_params(ROOT / "params.yaml"), "train.transformer", transformer.Params)
    params = params.model_copy(update={"base": str(base), "max_steps": 5, "learning_rate": 0.01})
    fitted = transformer.fit(parts["train"], parts["validation"], LABELS, params)
    texts = ["good", "bad " * 100, *parts["test"].texts[:20]]
    tokenizer = load_tokenizer(fitted.tokenizer)
    encoded = [tokenizer.encode(text).ids for text in texts]
    assert max(map(len, encoded)) == fitted.max_tokens <= 64
    ids, mask = np.zeros((2, len(texts), fitted.max_tokens + 1), np.int64)
    for row, tokens in enumerate(encoded):
        ids[row, : len(tokens)], mask[row, : len(tokens)] = tokens, 1
    session = ort.InferenceSession(fitted.graph, providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, {"input_ids": ids[:, :-1], "attention_mask": mask[:, :-1]})
    np.testing.assert_allclose(scores, fitted.predict_proba(texts), atol=1e-5)
    for row, tokens in enumerate(encoded):
        one = {"input_ids": np.array([tokens]), "attention_mask": np.ones((1, len(tokens)), np.int64)}
        np.testing.assert_allclose(session.run(None, one)[0][0], scores[row], atol=1e-5)
    measured = measure(fitted, family="transformer", labels=LABELS, parts=parts, git_commit=None)
    Scorer(write(tmp_path / "package", measured, "0" * 32)).check()


def test_a_classifier_for_other_labels_gets_a_new_last_layer(tmp_path: Path) -> None:
    base = write_base(tmp_path / "two", BASES["distilbert"])
    model, tokenizer = load_base(str(base), LABELS, 256)
    assert model.config.id2label == dict(enumerate(LABELS))
    assert model.num_labels == 3
    assert len(tokenizer.encode("good " * 100).ids) == 64


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=rf"train\.transformer\.base: {tmp_path}/none: no such folder"):
        load_base(str(tmp_path / "none"), LABELS, 64)


def test_a_folder_without_a_model_says_what_belongs_there(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"cannot be loaded .* config\.json, model\.safetensors"):
        load_base(str(tmp_path), LABELS, 64)
