"""Models of no size, which know nothing."""

from pathlib import Path

import torch
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
)

from training.families import minilm

WORDS = 30522  # of MiniLM's tokenizer, which these small models borrow
BASES = {
    "distilbert": DistilBertConfig(vocab_size=WORDS, dim=32, n_layers=2, n_heads=2, hidden_dim=64),
    "roberta": RobertaConfig(
        vocab_size=WORDS,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=66,
        pad_token_id=1,
    ),
}


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


def write_base(folder: Path, config: PreTrainedConfig) -> Path:
    """Write a model as it lies at Hugging Face."""
    torch.manual_seed(0)
    made = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    made.save_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=minilm.load_tokenizer(64), model_max_length=64
    )
    tokenizer.save_pretrained(folder)
    return folder
