"""The fine-tuned model in the form that is exported."""

from collections.abc import Iterable
from typing import Any, cast

import torch
from transformers import BertForSequenceClassification
from transformers.models.bert.modeling_bert import BertLayer

from training.families.bert_layers import embed, number_tokens, run_layer, run_layer_for_first


class Classifier(torch.nn.Module):
    """Token ids to probabilities.

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
