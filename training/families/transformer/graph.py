"""The fine-tuned model in the form that is exported."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
import onnxruntime as ort
import torch
from transformers import BertForSequenceClassification, PreTrainedModel
from transformers.models.bert.modeling_bert import BertLayer

from training.errors import TrainingError
from training.families.bert_layers import embed, number_tokens, run_layer, run_layer_for_first
from training.families.minilm import pad
from training.families.torch_graph import export_graph

_TOLERANCE = 1e-3
_LENGTHS = (3, 9, 17)  # of the texts that a graph is tried on


class Classifier(torch.nn.Module):
    """Token ids to probabilities, for a BERT.

    The classifier reads the first token alone, so the last layer is computed for that one: of the other
    tokens it needs only what the first attends to.
    """

    def __init__(self, model: BertForSequenceClassification) -> None:
        super().__init__()
        self.model = model
        self.eval()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return probabilities [batch, labels]."""
        bert = self.model.bert
        rows = number_tokens(bert, attention_mask)
        states = embed(bert, input_ids, rows)
        *layers, last = cast("Iterable[BertLayer]", bert.encoder.layer)
        for layer in layers:
            states = run_layer(layer, states, rows)
        first = run_layer_for_first(last, states, rows)
        logits = self.model.classifier(cast("Any", bert.pooler)(first))
        return torch.softmax(logits, dim=-1)


class AnyClassifier(torch.nn.Module):
    """Token ids to probabilities, for whatever adds a mask to its attention, as most models can."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model
        self.padding = model.config.pad_token_id or 0
        self.eval()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return probabilities [batch, labels]."""
        # Some count positions by what is no padding of their own kind.
        ids = torch.where(attention_mask.bool(), input_ids, self.padding)
        # Made here, as what the models make of a mask themselves cannot be exported for any number of tokens.
        never = torch.finfo(torch.float32).min
        bias = (1.0 - attention_mask.to(torch.float32))[:, None, None] * never
        return torch.softmax(self.model(input_ids=ids, attention_mask=bias).logits, dim=-1)


def classifier_of(model: PreTrainedModel) -> Classifier | AnyClassifier:
    """Return a model in the form that is exported."""
    if type(model) is BertForSequenceClassification:
        return Classifier(model)
    model.set_attn_implementation("eager")
    return AnyClassifier(model)


def check_exports(model: PreTrainedModel, name: str) -> None:
    """Refuse a model whose graph says other than itself, before anybody waits for it to learn.

    Raises:
        TrainingError: It cannot be exported.
    """
    model.train(mode=False)
    ids, mask = pad(_some_texts(model.config.vocab_size))
    with torch.inference_mode():
        expected = torch.softmax(model(input_ids=ids, attention_mask=mask).logits, dim=-1).numpy()
    try:
        session = ort.InferenceSession(export_graph(classifier_of(model)), providers=["CPUExecutionProvider"])
        (found,) = session.run(None, {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})
    except (RuntimeError, ValueError, TypeError, torch.onnx.OnnxExporterError) as error:
        raise TrainingError(_cannot(name, " ".join(str(error).split())[:300])) from error
    difference = float(np.abs(found - expected).max())
    if not difference <= _TOLERANCE:
        raise TrainingError(_cannot(name, f"its scores would be off by {difference:.3f}"))


def _some_texts(vocabulary: int) -> Sequence[Sequence[int]]:
    source = torch.Generator().manual_seed(0)
    return [torch.randint(5, vocabulary, (length,), generator=source).tolist() for length in _LENGTHS]


def _cannot(name: str, why: str) -> str:
    return (
        f"train.transformer.base: {name} cannot be exported as a graph that serves ({why}); BERT, DistilBERT "
        "and RoBERTa can: name a model of such a kind"
    )
