"""Fine-tuning: all weights of MiniLM learn to tell the labels apart."""

import random
from collections.abc import Iterator, Sequence
from functools import partial

import torch
from tokenizers import Tokenizer
from torch.optim.lr_scheduler import LambdaLR
from transformers import BertForSequenceClassification

from training.families import minilm
from training.progress import progress
from training.rows import Rows

_POOL = (
    32  # batches whose texts are sorted by length together: enough to save padding, few enough to stay random
)
_MAX_NORM = 1.0  # of the gradients


def finetune(
    train: Rows,
    labels: tuple[str, ...],
    *,
    epochs: int,
    learning_rate: float,
    warmup_share: float,
    weight_decay: float,
    batch_size: int,
    max_tokens: int,
    seed: int,
) -> tuple[BertForSequenceClassification, Tokenizer]:
    """Fine-tune MiniLM on labelled texts.

    Args:
        train: What to learn from.
        labels: What the columns of the logits mean, in this order.
        epochs: How often each text is seen.
        learning_rate: The highest: it rises to this in the first steps and then falls to zero.
        warmup_share: The share of those first steps.
        weight_decay: Of AdamW.
        batch_size: Texts a step.
        max_tokens: How many tokens of a text are read.
        seed: Of everything that is random here.

    Returns:
        The model and its tokenizer.

    Raises:
        TrainingError: MiniLM cannot be had.
    """
    torch.manual_seed(seed)
    config = minilm.load_config()
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: number for number, label in enumerate(labels)}
    model = BertForSequenceClassification(config)
    minilm.load_weights(model.bert)
    tokenizer = minilm.load_tokenizer(max_tokens)
    encodings = [encoding.ids for encoding in tokenizer.encode_batch(train.texts)]
    truth = torch.tensor([labels.index(label) for label in train.labels])
    steps = epochs * -(-len(train) // batch_size)
    optimiser = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=weight_decay)
    schedule = LambdaLR(optimiser, partial(_rate, steps=steps, warmup=round(warmup_share * steps)))
    shuffler = random.Random(seed)
    # On processors that multiply bfloat16 themselves a step takes 0.6 of the time; on others it takes longer.
    bf16 = torch.cpu.get_capabilities().get("avx512_bf16", False)
    model.set_attn_implementation("sdpa")
    model.train()
    with progress(f"fine-tuning on {len(train)} texts", steps) as advance:
        for _ in range(epochs):
            for rows in _batches([len(ids) for ids in encodings], batch_size, shuffler):
                ids, mask = minilm.pad([encodings[row] for row in rows])
                with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                    loss = model(input_ids=ids, attention_mask=mask, labels=truth[rows]).loss
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), _MAX_NORM)
                optimiser.step()
                schedule.step()
                optimiser.zero_grad()
                advance(1)
    return model, tokenizer


def _batches(lengths: Sequence[int], size: int, shuffler: random.Random) -> Iterator[list[int]]:
    """Yield every row once, in batches of similar lengths and in random order."""
    rows = list(range(len(lengths)))
    shuffler.shuffle(rows)
    batches = []
    for start in range(0, len(rows), _POOL * size):
        pool = sorted(rows[start : start + _POOL * size], key=lengths.__getitem__)
        batches += [pool[first : first + size] for first in range(0, len(pool), size)]
    shuffler.shuffle(batches)
    yield from batches


def _rate(step: int, *, steps: int, warmup: int) -> float:
    """Return the share of the learning rate that a step gets: it rises in a line, then falls in a line."""
    return (step + 1) / (warmup + 1) if step < warmup else (steps - step) / (steps - warmup)
