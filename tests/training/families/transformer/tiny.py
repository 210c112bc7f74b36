"""Models of no size, which know nothing."""

import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
)


def tiny_bert() -> BertForSequenceClassification:
    """Return a BERT with two layers, always the same."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=16,
    )
    return BertForSequenceClassification(config)


def tiny_distilbert() -> DistilBertForSequenceClassification:
    """Return a DistilBERT with two layers."""
    config = DistilBertConfig(vocab_size=50, dim=16, n_layers=2, n_heads=2, hidden_dim=32)
    return DistilBertForSequenceClassification(config)
