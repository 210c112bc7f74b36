"""Computing the last layer for one token costs nothing but time saved."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from transformers import BertForSequenceClassification

from training.families import minilm
from training.families.torch_graph import export_graph
from training.families.transformer.graph import Classifier

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


def test_an_exported_layer_is_a_few_operators(model: BertForSequenceClassification, exported: bytes) -> None:
    layers = model.config.num_hidden_layers
    kinds = [node.op_type for node in onnx.load_from_string(exported).graph.node]
    assert kinds.count("MultiHeadAttention") == layers
    assert kinds.count("MatMul") == 4 * layers + 1  # the last layer's queries are of the first token alone
    assert {kind: kinds.count(kind) for kind in ("Shape", "Reshape", "Transpose")} == {
        "Shape": 1,
        "Reshape": 0,
        "Transpose": 0,
    }
