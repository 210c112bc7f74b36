"""The model that fine-tuning begins from: MiniLM, or any sequence classifier of Hugging Face."""

import logging
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertForSequenceClassification,
    PreTrainedModel,
)
from transformers.utils import logging as transformers_logging

from training.errors import TrainingError
from training.families import minilm


def load_base(name: str, labels: tuple[str, ...], max_tokens: int) -> tuple[PreTrainedModel, Tokenizer]:
    """Load a model with one output for each label, and its tokenizer.

    A classifier that was made for as many labels keeps its last layer; any other gets a new one, whose
    weights are random.

    Args:
        name: MiniLM's, another one's at Hugging Face, or a folder with a model's files.
        labels: What the columns of the logits mean, in this order.
        max_tokens: Where the tokenizer truncates, or before, where the model reads less.

    Raises:
        TrainingError: It cannot be had, or is of a kind that cannot be fine-tuned here.
    """
    names = dict(enumerate(labels))
    numbers = {label: number for number, label in names.items()}
    if name == minilm.MODEL:
        config = minilm.load_config()
        config.id2label, config.label2id = names, numbers
        minilm_model = BertForSequenceClassification(config)
        minilm.load_weights(minilm_model.bert)
        return minilm_model, minilm.load_tokenizer(max_tokens)
    if Path(name).is_absolute() and not Path(name).is_dir():
        raise TrainingError(f"train.transformer.base: {name}: no such folder")
    transformers_logging.set_verbosity(logging.ERROR)  # that a last layer is new is no news
    try:
        model = AutoModelForSequenceClassification.from_pretrained(
            name, id2label=names, label2id=numbers, ignore_mismatched_sizes=True, dtype=torch.float32
        )
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())
        raise TrainingError(
            f"train.transformer.base: the model {name} cannot be loaded ({why}). Connect to huggingface.co, "
            "where what was fetched once is kept for later; or name a folder that holds its config.json, "
            f"model.safetensors and tokenizer.json; or use {minilm.MODEL}, which needs no connection"
        ) from error
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise TrainingError(
            f"train.transformer.base: {name} has no tokenizer.json, which a model package needs; name another"
        )
    most = min(max_tokens, int(tokenizer.model_max_length), model.config.max_position_embeddings)
    own = Tokenizer.from_str(backend.to_str())
    own.no_padding()
    own.enable_truncation(most)
    own.encode_special_tokens = True
    return model, own
