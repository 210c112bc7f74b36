"""Computing the last layer for one token costs nothing but time saved."""

import numpy as np
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


def test_the_exported_graph_gives_the_same(model: BertForSequenceClassification) -> None:
    classifier = Classifier(model)
    session = ort.InferenceSession(export_graph(classifier), providers=["CPUExecutionProvider"])
    for length in LENGTHS:
        ids, mask = minilm.pad([[101, *range(3000, 3000 + length), 102], [101, 102]])
        with torch.inference_mode():
            expected = classifier(ids, mask)
        (scores,) = session.run(None, {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})
        np.testing.assert_allclose(scores, expected, atol=1e-5)
