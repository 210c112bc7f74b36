"""The model under test: MiniLM-L6 with a classification head, as a package and for transformers.

The head is random (seeded). What a text costs depends on the shapes of the weights and not on their values,
so this measures what a fine-tuned model of the same shape would.
"""

import csv
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BertForSequenceClassification, PreTrainedTokenizerFast

from benchmarks.contenders import Pair
from benchmarks.corpus import CORPUS, MAX_TOKENS
from bento.package import LABELS
from bento.text import normalise
from training.export import export
from training.families import Fitted
from training.families.svm.graph import export_graph
from training.families.svm.reader import load_encoder
from training.rows import Rows

_SEED = 7
_ROWS = 60


class _Classifier(torch.nn.Module):
    """Token ids to probabilities; the mask is applied here for the reason that `svm` has."""

    def __init__(self, model: BertForSequenceClassification) -> None:
        super().__init__()
        self._model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        bert = self._model.bert
        mask = attention_mask.to(torch.float32)[:, None, None, :]
        penalty = (1.0 - mask) * torch.finfo(torch.float32).min
        states = bert.embeddings(input_ids)
        for layer in bert.encoder.layer:
            states = layer(states, penalty)
        pooled = bert.pooler(states)  # type: ignore[misc]  # there is one unless it is left out
        return torch.softmax(self._model.classifier(pooled), dim=1)


def make_pair(directory: Path) -> Pair:
    """Return the pair in this directory, making it if it is not there.

    Raises:
        TrainingError: MiniLM's weights cannot be had.
        PackageError: What was exported does not fulfil the contract.
    """
    pair = Pair(directory / "package", directory / "huggingface")
    if pair.package.exists() and pair.huggingface.exists():
        return pair
    encoder, tokenizer = load_encoder(MAX_TOKENS)
    torch.manual_seed(_SEED)
    config = encoder.bert.config
    config.id2label = {number: str(label) for number, label in enumerate(LABELS)}
    config.label2id = {str(label): number for number, label in enumerate(LABELS)}
    model = BertForSequenceClassification(config)
    model.eval()  # type: ignore[no-untyped-call]
    model.bert.load_state_dict(encoder.bert.state_dict(), strict=False)  # all but the pooler, which is random
    graph = export_graph(_Classifier(model))

    def unused(texts: object) -> NDArray[np.float64]:
        raise NotImplementedError

    model.save_pretrained(pair.huggingface)
    wrapped = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token="[PAD]",  # noqa: S106 - a token of text
        model_max_length=MAX_TOKENS,
    )
    wrapped.save_pretrained(pair.huggingface)
    rows = _rows()  # the package comes last: where it is, all is
    export(
        pair.package,
        Fitted(tokenizer.to_str().encode(), graph, MAX_TOKENS, {}, unused),
        family="transformer",
        labels=LABELS,
        parts=dict.fromkeys(("train", "validation", "test"), rows),
        run_id="benchmark",
        git_commit=None,
    )
    return pair


def _rows() -> Rows:
    """A few labelled texts: exporting a package measures it, though nothing reads these figures here."""
    file = sorted(CORPUS.glob("*.csv"))[0]
    with file.open(newline="", encoding="utf-8") as lines:
        rows = islice(csv.DictReader(lines), _ROWS)
        found = [(normalise(row["text"]), row["label"]) for row in rows]
    return Rows([text for text, _ in found], [label for _, label in found])
