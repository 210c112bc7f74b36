"""Fine-tuning: all weights learn to tell the labels apart, for as long as validation gets better."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import f1_score
from torch.nn import functional
from transformers import PreTrainedModel

from bento.scorer import plan_batches
from training.families.minilm import multiplies_bf16, pad
from training.families.transformer import checkpoint
from training.families.transformer.average import Average, Weights, put
from training.families.transformer.batches import Encoded, batches
from training.families.transformer.rates import parameter_groups, rate
from training.families.transformer.recipe import Params
from training.progress import progress

_LOOKS = 2  # at validation, in an epoch
_LEAST_LOOKS = 3  # in a run
_MAX_NORM = 1.0  # of the gradients
_BATCH_TOKENS = 4096  # of validation texts
_SEEDS = 1_000_003  # of steps, for each seed of a run


@dataclass
class _State:
    """How far a run is; `looks` are pairs of an epoch and the macro-F1 on validation there."""

    step: int = 0
    looks: list[tuple[float, float]] = field(default_factory=list)
    best: Weights = field(default_factory=dict)

    def is_best(self) -> bool:
        """Say whether the last look is better than all before."""
        *before, (_, last) = self.looks
        return all(last > macro_f1 for _, macro_f1 in before)

    def is_over(self, patience: float) -> bool:
        """Say whether validation has not become better for so many epochs."""
        best = max(self.looks, key=lambda look: look[1])
        # Half of an odd number of steps is rounded down, so looks come a little early.
        return self.looks[-1][0] - best[0] > patience - 0.5 / _LOOKS


def finetune(
    model: PreTrainedModel,
    train: Encoded,
    validation: Encoded,
    params: Params,
    *,
    what: str,
    unfinished: Path | None,
) -> list[tuple[float, float]]:
    """Fine-tune a model, and leave it with the averaged weights that did best on validation.

    A run that was interrupted goes on from its last look at validation, and comes to the same weights.

    Args:
        model: Is changed; on a GPU while it learns, where there is one.
        train: What to learn from.
        validation: What tells when to stop.
        params: The recipe.
        what: What it is called while it runs.
        unfinished: The file in which a run keeps how far it is; None: nowhere.

    Returns:
        Epochs, in parts of one, and the macro-F1 on validation there.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)  # type: ignore[arg-type]  # its stub knows less than it takes
    an_epoch = -(-len(train) // params.batch_size)
    steps = min(params.max_epochs * an_epoch, params.max_steps or params.max_epochs * an_epoch)
    between = max(1, min(an_epoch // _LOOKS, -(-steps // _LEAST_LOOKS)))
    warmup = round(params.warmup_share * steps)
    optimiser = torch.optim.AdamW(
        parameter_groups(
            model,
            learning_rate=params.learning_rate,
            layer_decay=params.layer_decay,
            weight_decay=params.weight_decay,
        )
    )
    average = Average(model, params.average_epochs * an_epoch)
    identity = _identity(model, train, validation, params) if unfinished else ""
    state = _resume(unfinished, identity, model, optimiser, average)
    lengths = train.lengths()
    order: list[list[int]] = []
    with progress(what, steps, state.step) as advance:
        while state.step < steps and not (state.looks and state.is_over(params.patience)):
            epoch, place = divmod(state.step, an_epoch)
            if not order or not place:
                order = list(batches(lengths, params.batch_size, random.Random(f"{params.seed} {epoch}")))
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * rate(state.step, steps=steps, warmup=warmup)
            # Each step draws its own numbers, so that an interrupted run need not know where they were.
            torch.manual_seed(params.seed * _SEEDS + state.step)
            _learn(model, train, order[place], optimiser, params.label_smoothing)
            average.update()
            state.step += 1
            advance(1)
            if state.step % between == 0 or state.step == steps:
                with average.applied():
                    macro_f1 = _macro_f1(model, validation)
                state.looks.append((state.step / an_epoch, macro_f1))
                print(f"  epoch {state.step / an_epoch:.2f}: macro-F1 {macro_f1:.4f}", flush=True)
                if state.is_best():
                    state.best = {name: part.clone() for name, part in average.weights.items()}
                if unfinished:
                    checkpoint.save(unfinished, _pack(identity, state, model, optimiser, average))
    if state.step == params.max_steps:
        print(
            f"  stopped after {state.step} steps (max_steps), {state.step / an_epoch:.2f} epochs", flush=True
        )
    put(dict(model.named_parameters()), state.best)
    model.to("cpu")  # type: ignore[arg-type]
    return state.looks


def _learn(
    model: PreTrainedModel,
    train: Encoded,
    rows: list[int],
    optimiser: torch.optim.Optimizer,
    label_smoothing: float,
) -> None:
    model.train()
    logits = _logits(model, [train.ids[row] for row in rows])
    truth = train.truth[rows].to(logits.device)
    loss = functional.cross_entropy(logits.float(), truth, label_smoothing=label_smoothing)
    torch.autograd.backward(loss)
    torch.nn.utils.clip_grad_norm_(model.parameters(), _MAX_NORM)
    optimiser.step()
    optimiser.zero_grad()


@torch.inference_mode()
def _macro_f1(model: PreTrainedModel, rows: Encoded) -> float:
    model.train(mode=False)
    said = np.empty(len(rows), np.int64)
    for batch in plan_batches(rows.lengths(), _BATCH_TOKENS):
        said[batch] = _logits(model, [rows.ids[row] for row in batch]).argmax(dim=1).cpu().numpy()
    return float(f1_score(rows.truth.numpy(), said, average="macro", zero_division=0.0))


def _logits(model: PreTrainedModel, ids: Sequence[Sequence[int]]) -> torch.Tensor:
    device = model.device
    tokens, mask = (part.to(device) for part in pad(ids))
    # A step takes 0.6 of the time.
    with torch.autocast(device.type, torch.bfloat16, enabled=multiplies_bf16(device)):
        logits: torch.Tensor = model(input_ids=tokens, attention_mask=mask).logits
    return logits


def _identity(model: PreTrainedModel, train: Encoded, validation: Encoded, params: Params) -> str:
    """Return what is the same for the same run alone: the model, the rows, the recipe."""
    digest = hashlib.sha256(params.model_dump_json().encode())
    for rows in (train, validation):
        digest.update(repr(rows.ids).encode())
        digest.update(rows.truth.numpy().tobytes())
    for part in model.parameters():
        digest.update(part.detach().cpu().numpy().tobytes())
    return digest.hexdigest()


def _pack(
    identity: str,
    state: _State,
    model: PreTrainedModel,
    optimiser: torch.optim.Optimizer,
    average: Average,
) -> dict[str, Any]:
    return {
        "identity": identity,
        "step": state.step,
        "looks": state.looks,
        "best": state.best,
        "model": dict(model.named_parameters()),
        "average": average.weights,
        "optimiser": optimiser.state_dict(),
    }


def _resume(
    unfinished: Path | None,
    identity: str,
    model: PreTrainedModel,
    optimiser: torch.optim.Optimizer,
    average: Average,
) -> _State:
    kept = checkpoint.load(unfinished, identity) if unfinished else None
    if kept is None:
        return _State()
    print(f"  goes on from step {kept['step']}, where an earlier run was interrupted", flush=True)
    put(dict(model.named_parameters()), kept["model"])
    average.restore(kept["average"], kept["step"])
    optimiser.load_state_dict(kept["optimiser"])
    return _State(kept["step"], kept["looks"], kept["best"])
