"""MiniLM, fine-tuned as a whole: the classifier reads the first token of the last layer."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bento.package import MAX_TOKENS
from training.families import Fitted, minilm
from training.families.torch_graph import export_graph
from training.families.transformer.finetune import finetune
from training.families.transformer.graph import Classifier
from training.params import Section
from training.rows import Rows


class Params(Section):
    """The section `train.transformer` of `params.yaml`."""

    epochs: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    warmup_share: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    batch_size: int = Field(ge=1)
    max_tokens: int = Field(ge=3, le=MAX_TOKENS)
    seed: int


def fit(
    train: Rows,
    validation: Rows,  # noqa: ARG001 - nothing is searched, so nothing is chosen by it
    labels: tuple[str, ...],
    params: Params,
) -> Fitted:
    """Train and export; see `training.families.Family`."""
    model, tokenizer = finetune(
        train,
        labels,
        epochs=params.epochs,
        learning_rate=params.learning_rate,
        warmup_share=params.warmup_share,
        weight_decay=params.weight_decay,
        batch_size=params.batch_size,
        max_tokens=params.max_tokens,
        seed=params.seed,
    )
    classifier = Classifier(model)

    def predict_proba(texts: Sequence[str]) -> NDArray[np.float64]:
        return minilm.apply(classifier, tokenizer, texts, size=len(labels), step="scoring").astype(np.float64)

    return Fitted(tokenizer.to_str().encode(), export_graph(classifier), params.max_tokens, {}, predict_proba)
