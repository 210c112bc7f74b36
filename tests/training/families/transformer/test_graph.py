"""Neither computing the last layer for one token nor leaving padding out costs anything but time saved."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from transformers import BertForSequenceClassification

from bento.package import MAX_TOKENS
from training.families import minilm
from training.families.torch_graph import export_graph
from training.families.transformer.graph import Classifier
from training.numeric_forms import int8_rows

LENGTHS = (3, 7, 19)


@pytest.fixture(scope="module")
def model() -> BertForSequenceClassification:
    """MiniLM with a classifier that has learnt nothing, but tells texts apart."""
    torch.manual_seed(0)
    model = BertForSequenceClassification(minilm.load_config())
    minilm.load_weights(model.bert)
    with torch.no_grad():
        model.classifier.weight.normal_(0, 0.5)
    model.train(mode=False)
    return model


def test_the_first_token_alone_gives_the_whole_models_scores(
    model: BertForSequenceClassification,
) -> None:
    ids, mask = minilm.pad([[101, *range(2000, 2000 + length), 102] for length in LENGTHS])
    with torch.inference_mode():
        expected = torch.softmax(model(input_ids=ids, attention_mask=mask).logits, dim=-1)
        ours = Classifier(model)(ids, mask)
    assert expected.std() > 0.05
    np.testing.assert_allclose(ours, expected, atol=1e-5)


@pytest.fixture(scope="module")
def exported(model: BertForSequenceClassification) -> bytes:
    return export_graph(Classifier(model))


def test_the_exported_graph_gives_the_same(model: BertForSequenceClassification, exported: bytes) -> None:
    session = ort.InferenceSession(exported, providers=["CPUExecutionProvider"])
    for texts in ([()], [(), range(3000, 3019)], [range(3000, 3003)] * 2, [range(3000, 3007), (), ()]):
        ids, mask = minilm.pad([[101, *text, 102] for text in texts])
        with torch.inference_mode():
            expected = Classifier(model)(ids, mask)
        (scores,) = session.run(None, {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})
        np.testing.assert_allclose(scores, expected, atol=1e-5)


@pytest.fixture(scope="module")
def forms(exported: bytes) -> list[ort.InferenceSession]:
    """The exported graph in single precision and in 8 bits."""
    quick = int8_rows(exported)
    assert quick is not None
    return [ort.InferenceSession(graph, providers=["CPUExecutionProvider"]) for graph in (exported, quick)]


def score(session: ort.InferenceSession, texts: list[list[int]], padding: int = 0) -> NDArray[np.float32]:
    ids, mask = (np.pad(part.numpy(), ((0, 0), (0, padding))) for part in minilm.pad(texts))
    (scores,) = session.run(None, {"input_ids": ids, "attention_mask": mask})
    return np.asarray(scores)


def check_alone(forms: list[ort.InferenceSession], lengths: list[int], padding: int) -> None:
    texts = [[101, *range(2000 + place, 1999 + place + length)] for place, length in enumerate(lengths)]
    for session in forms:
        together = score(session, texts, padding)
        alone = np.concatenate([score(session, [text]) for text in texts])
        np.testing.assert_allclose(together, alone, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.integers(0, 9))
def test_a_text_scores_what_it_scores_alone(
    forms: list[ort.InferenceSession], lengths: list[int], padding: int
) -> None:
    check_alone(forms, lengths, padding)


def test_the_shortest_text_and_the_longest_go_together(forms: list[ort.InferenceSession]) -> None:
    check_alone(forms, [1, MAX_TOKENS, 1, 3], padding=0)


def test_an_exported_layer_is_a_few_operators(model: BertForSequenceClassification, exported: bytes) -> None:
    layers = model.config.num_hidden_layers
    kinds = [node.op_type for node in onnx.load_from_string(exported).graph.node]
    assert kinds.count("Softmax") == layers + 1
    assert kinds.count("MatMul") == 6 * layers + 1  # the last layer's queries are of the first token alone
    assert len([kind for kind in kinds if kind != "Constant"]) < 40 * layers
