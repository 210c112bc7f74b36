"""The model under test: MiniLM-L6 fine-tuned on a part of the corpus, as a package and for transformers.

Fine-tuned rather than random, since the numeric form that is served is chosen by what it costs in accuracy.
"""

import csv
import hashlib
import random
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from benchmarks.contenders import Pair
from benchmarks.corpus import CORPUS, MAX_TOKENS
from bento.package import LABELS
from bento.text import normalise
from training.export import measure, write
from training.families import Fitted, minilm
from training.families.torch_graph import export_graph
from training.families.transformer.base import load_base
from training.families.transformer.batches import encode
from training.families.transformer.finetune import finetune
from training.families.transformer.graph import classifier_of
from training.families.transformer.recipe import Params
from training.rows import Rows

TRAIN_ROWS = 3_000
_SEED = 7
_ROWS = 9_000
_LOOKED_AT = 500  # held-out rows while it learns
_RECIPE = Params(  # not that of params.yaml: a benchmark's model stays the same
    base=minilm.MODEL,
    max_epochs=1,
    patience=1,
    batch_size=32,
    learning_rate=1e-4,
    layer_decay=1.0,
    warmup_share=0.1,
    weight_decay=0.01,
    label_smoothing=0.0,
    average_epochs=0.0,
    max_tokens=MAX_TOKENS,
    seed=_SEED,
)


def make_pair(directory: Path) -> Pair:
    """Return the pair in this directory, making it in a minute or two unless this very code made it.

    Raises:
        TrainingError: MiniLM's weights cannot be had.
        PackageError: What was exported does not fulfil the contract.
    """
    pair = Pair(directory / "package", directory / "huggingface")
    made_by = directory / "made_by"
    code = _code()
    if made_by.exists() and made_by.read_text() == code:
        return pair
    texts, labels = _read_corpus()
    train = Rows(texts[:TRAIN_ROWS], labels[:TRAIN_ROWS])
    held_out = Rows(texts[TRAIN_ROWS:_ROWS], labels[TRAIN_ROWS:_ROWS])
    torch.manual_seed(_SEED)
    model, tokenizer = load_base(_RECIPE.base, LABELS, MAX_TOKENS)
    looked_at = Rows(held_out.texts[:_LOOKED_AT], held_out.labels[:_LOOKED_AT])
    finetune(
        model,
        encode(tokenizer, train, LABELS),
        encode(tokenizer, looked_at, LABELS),
        _RECIPE,
        what=f"fine-tuning on {len(train)} texts",
        unfinished=None,
    )
    model.save_pretrained(pair.huggingface)
    wrapped = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token="[PAD]",  # noqa: S106 - a token of text
        model_max_length=MAX_TOKENS,
    )
    wrapped.save_pretrained(pair.huggingface)

    def unused(_: object) -> NDArray[np.float64]:
        raise NotImplementedError

    graph = export_graph(classifier_of(model))
    measured = measure(
        Fitted(tokenizer.to_str().encode(), graph, MAX_TOKENS, {}, unused),
        family="transformer",
        labels=LABELS,
        parts={"train": train, "validation": held_out, "test": held_out},
        git_commit=None,
    )
    write(pair.package, measured, "benchmark")
    made_by.write_text(code)  # comes last: where it is, all is
    return pair


def _code() -> str:
    """Return what changes with the code that trains and exports, and so perhaps the graph."""
    training = Path(minilm.__file__).parents[1]
    files = [Path(__file__), *sorted(training.rglob("*.py"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _read_corpus() -> tuple[list[str], list[str]]:
    """Read the embedded corpus in an order that is random and always the same."""
    rows = []
    for file in sorted(CORPUS.glob("*.csv")):
        with file.open(newline="", encoding="utf-8") as lines:
            rows += [(normalise(row["text"]), row["label"]) for row in csv.DictReader(lines)]
    random.Random(_SEED).shuffle(rows)
    return [text for text, _ in rows], [label for _, label in rows]
