"""A pretrained transformer, fine-tuned as a whole."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from training.families import ALONE, Beside, Fitted, minilm
from training.families.torch_graph import export_graph
from training.families.transformer.base import load_base
from training.families.transformer.batches import encode, fitting_length
from training.families.transformer.finetune import finetune
from training.families.transformer.graph import check_exports, classifier_of
from training.families.transformer.recipe import Params as Params
from training.families.transformer.related import read_related
from training.rows import Rows


def fit(
    train: Rows, validation: Rows, labels: tuple[str, ...], params: Params, beside: Beside = ALONE
) -> Fitted:
    """Train and export; see `training.families.Family`."""
    torch.manual_seed(params.seed)
    model, tokenizer = load_base(params.base, labels, params.max_tokens)
    if params.base != minilm.MODEL:
        check_exports(model, params.base)
    model.set_attn_implementation("sdpa" if model._supports_sdpa else "eager")
    limit = tokenizer.truncation  # that of the model where it is lower
    most = limit["max_length"] if limit else params.max_tokens
    max_tokens = fitting_length(encode(tokenizer, train, labels).lengths(), most)
    tokenizer.enable_truncation(max_tokens)
    held_out = encode(tokenizer, validation, labels)
    if params.pretrain:
        related = read_related(params.pretrain, labels, beside.held_out)
        finetune(
            model,
            encode(tokenizer, related, labels),
            held_out,
            params,
            what=f"learning from {len(related)} related texts",
            unfinished=beside.unfinished and beside.unfinished / "related.pt",
        )
    looks = finetune(
        model,
        encode(tokenizer, train, labels),
        held_out,
        params,
        what=f"fine-tuning on {len(train)} texts",
        unfinished=beside.unfinished and beside.unfinished / "train.pt",
    )
    classifier = classifier_of(model)
    epochs, _ = max(looks, key=lambda look: look[1])

    def predict_proba(texts: Sequence[str]) -> NDArray[np.float64]:
        return minilm.apply(classifier, tokenizer, texts, size=len(labels), step="scoring").astype(np.float64)

    return Fitted(
        tokenizer.to_str().encode(),
        export_graph(classifier),
        max_tokens,
        {"epochs": epochs, "max_tokens": max_tokens},
        predict_proba,
        looks,
    )
