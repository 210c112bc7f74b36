"""From a fitted family to a model package that has been measured, profiled and checked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bento.package import (
    Canary,
    Histogram,
    Label,
    Limits,
    Manifest,
    Package,
    Profile,
    Quantisation,
    hash_files,
    write_package,
)
from bento.scorer import Scorer, load_tokenizer
from bento.text import NORMALISER_VERSION
from training.canaries import TEXTS
from training.certainty import find_certainty
from training.evaluate import evaluate
from training.families import Graph
from training.form_cost import describe, is_acceptable, measure_cost
from training.numeric_forms import INT8_ROWS, int8_rows
from training.records import MODEL_NAME, Evaluation, flatten
from training.rows import Rows
from training.scoring import score_texts
from training.temperature import fit_temperature, temper, temper_scores

_CONFIDENCE_BOUNDS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_TOKEN_BOUNDS = (4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
_VALIDATION = "validation texts"


@dataclass(frozen=True)
class Measured:
    """All of a package but the run that it belongs to.

    Attributes:
        manifest: Without that run.
        tokenizer: The content of `tokenizer.json`.
        graph: The content of `model.onnx`.
        evaluations: How well it does on validation and on test.
        scores: Of the test rows [rows, labels].
    """

    manifest: Manifest
    tokenizer: bytes
    graph: bytes
    evaluations: dict[str, Evaluation]
    scores: NDArray[np.float32]


def measure(
    fitted: Graph,
    *,
    family: str,
    labels: tuple[Label, ...],
    parts: dict[str, Rows],
    git_commit: str | None,
    promise: float = 0.95,
) -> Measured:
    """Choose the temperature and the numeric form of a trained model, and measure what comes of it.

    The validation rows give the temperature, which becomes part of the graph, and then the threshold from
    which predictions are certain. The test rows give neither, so what is measured on them checks both.

    The scores in the manifest (metrics, profile, canaries) come from the very graph beside it, through the
    scorer that serves it. The profile's tokens are those of the training rows; sentiment and confidence are
    those of the validation rows, as a model is surer of what it learnt from than of what it will be asked.

    Args:
        fitted: The trained model.
        family: Its name.
        labels: What the columns of its probabilities mean.
        parts: Rows of `train`, `validation` and `test`.
        git_commit: From `training.project.git_commit`.
        promise: The share of certain predictions that is to be right.

    Raises:
        PackageError: What was exported does not fulfil the contract.
    """
    draft = Manifest(
        name=MODEL_NAME,
        family=family,
        labels=labels,
        limits=Limits(max_tokens=fitted.max_tokens),
        normaliser_version=NORMALISER_VERSION,
        temperature=1.0,
        created_at=datetime.now(UTC),
        run_id=None,
        data_sha256=parts["train"].sha256(),
        git_commit=git_commit,
        metrics={},
        profile=_profile(np.full((1, len(labels)), 1 / len(labels), np.float32), labels, [1]),
        canaries=tuple(Canary(text=text, scores=dict.fromkeys(labels, 1 / len(labels))) for text in TEXTS),
        files=hash_files(tokenizer=fitted.tokenizer, graph=fitted.graph),
    )
    validation = parts["validation"]
    untempered = score_texts(_open(draft, fitted.tokenizer, fitted.graph), validation.texts, _VALIDATION)
    temperature = fit_temperature(untempered, labels, validation.labels)
    exact = replace(fitted, graph=temper(fitted.graph, temperature))
    before = temper_scores(untempered, temperature)
    graph, quantisation, scorer, scored = _choose_form(draft, exact, before, validation)
    scores = {"validation": scored, "test": score_texts(scorer, parts["test"].texts, "test texts")}
    evaluations = {part: evaluate(scores[part], labels, parts[part].labels) for part in scores}
    tokenizer = load_tokenizer(fitted.tokenizer)
    lengths = [len(encoding.ids) for encoding in tokenizer.encode_batch(parts["train"].texts)]
    manifest = draft.model_copy(
        update={
            "temperature": temperature,
            "metrics": flatten(evaluations),
            "certainty": find_certainty(scores["validation"], labels, validation.labels, promise),
            "quantisation": quantisation,
            "files": hash_files(tokenizer=fitted.tokenizer, graph=graph),
            "profile": _profile(scores["validation"], labels, lengths),
            "canaries": tuple(_canary(scorer, text, labels) for text in TEXTS),
        }
    )
    return Measured(manifest, fitted.tokenizer, graph, evaluations, scores["test"])


def write(directory: Path, measured: Measured, run_id: str) -> Package:
    """Write a package, and see that it scores here as it was measured.

    Args:
        directory: Where it goes; replaced when it exists.
        measured: From `measure`.
        run_id: The MLflow run that it belongs to.

    Raises:
        PackageError: It does not verify.
    """
    manifest = measured.manifest.model_copy(update={"run_id": run_id})
    package = write_package(directory, manifest, tokenizer=measured.tokenizer, graph=measured.graph)
    Scorer(package).check()
    return package


def _open(draft: Manifest, tokenizer: bytes, graph: bytes) -> Scorer:
    # In memory only: a scorer needs neither scores that are still to be measured nor a place on disk.
    return Scorer(Package(Path(), draft, "", tokenizer, graph))


def _choose_form(
    draft: Manifest, exact: Graph, before: NDArray[np.float32], validation: Rows
) -> tuple[bytes, Quantisation, Scorer, NDArray[np.float32]]:
    """Return the quickest graph whose cost is acceptable, that cost, its scorer, and its validation scores.

    `before` are the scores of the exact graph.
    """
    graph = int8_rows(exact.graph)
    if graph is not None:
        quick = _open(draft, exact.tokenizer, graph)
        after = score_texts(quick, validation.texts, _VALIDATION)
        cost = measure_cost(INT8_ROWS, quick, before, after, validation)
        chosen = is_acceptable(cost)
        print(f"  {describe(cost)}: {'chosen' if chosen else 'left, fp32 stays'}", flush=True)
        if chosen:
            return graph, cost, quick, after
    return exact.graph, Quantisation(), _open(draft, exact.tokenizer, exact.graph), before


def _canary(scorer: Scorer, text: str, labels: tuple[Label, ...]) -> Canary:
    scores = scorer.score([scorer.encode(text)])[0]
    return Canary(
        text=text, scores={label: float(score) for label, score in zip(labels, scores, strict=True)}
    )


def _profile(scores: NDArray[np.float32], labels: tuple[Label, ...], lengths: Sequence[int]) -> Profile:
    said = scores.argmax(axis=1)
    return Profile(
        sentiment={label: float((said == column).mean()) for column, label in enumerate(labels)},
        confidence=_histogram(scores.max(axis=1), _CONFIDENCE_BOUNDS),
        input_tokens=_histogram(np.asarray(lengths), _TOKEN_BOUNDS),
    )


def _histogram(values: NDArray[np.generic], bounds: tuple[float, ...]) -> Histogram:
    buckets = np.searchsorted(bounds, values, side="left")  # a value equal to a bound falls below it
    shares = np.bincount(buckets, minlength=len(bounds) + 1) / len(values)
    return Histogram(bounds=bounds, shares=tuple(shares.tolist()))
