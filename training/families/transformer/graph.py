"""The fine-tuned model in the form that is exported."""

from collections.abc import Iterable
from typing import cast

import torch
from transformers import BertForSequenceClassification
from transformers.models.bert.modeling_bert import BertLayer

from training.families.minilm import penalty


class Classifier(torch.nn.Module):
    """Token ids to probabilities.

    The classifier reads the first token alone, so the last layer is computed for that one: of the other
    tokens it needs only what the first attends to.
    """

    def __init__(self, model: BertForSequenceClassification) -> None:
        super().__init__()
        model.set_attn_implementation("eager")  # the form that exports to plain ONNX operators
        self.model = model
        self.eval()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return probabilities [batch, labels]."""
        bert = self.model.bert
        padding = penalty(attention_mask)
        states = bert.embeddings(input_ids)
        *layers, last = cast("Iterable[BertLayer]", bert.encoder.layer)
        for layer in layers:
            states = layer(states, padding)
        pooler = cast("torch.nn.Module", bert.pooler)
        logits = self.model.classifier(pooler(_first_token(last, states, padding)))
        return torch.softmax(logits, dim=-1)


def _first_token(layer: BertLayer, states: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
    """Return what the layer makes of the first token [batch, 1, hidden]."""
    attention = layer.attention.self
    first = states[:, :1]

    def heads(values: torch.Tensor) -> torch.Tensor:
        shape = (values.shape[0], values.shape[1], attention.num_attention_heads, -1)
        return values.view(shape).transpose(1, 2)

    query, key, value = (
        heads(attention.query(first)),
        heads(attention.key(states)),
        heads(attention.value(states)),
    )
    weights = torch.softmax(query @ key.transpose(2, 3) * attention.scaling + padding, dim=-1)
    found = (weights @ value).transpose(1, 2).flatten(2)
    attended = layer.attention.output(found, first)
    result: torch.Tensor = layer.output(layer.intermediate(attended), attended)
    return result
