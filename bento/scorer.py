"""The scorer: texts in, scores out, with the files of a model package and nothing else.

Training evaluates with this very module, so that what is measured is what is served.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors
from tokenizers import Tokenizer

from bento.package import Label, Package, PackageError
from bento.text import NORMALISER_VERSION, normalise

# Between processors; a wrong graph or tokenizer is off by far more. Where activations are rounded to 8 bits,
# the last bit of a sum decides now and then which way: another order of additions moved a canary's scores by
# 0.012.
CANARY_TOLERANCE = 1e-3
ROUNDED_CANARY_TOLERANCE = 0.02

_PADDING = 1 / 8  # of a batch, at most
_CANARIES_ALONE = 4  # what fails in a batch of one fails soon, and a start should not take long

_ORT_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)


class GraphError(PackageError):
    """The graph fails on a batch, or answers it with something that the contract does not know."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """One text as the model reads it.

    `truncated` says that the text had more tokens than `ids` holds.
    """

    ids: list[int]
    truncated: bool

    def __len__(self) -> int:
        return len(self.ids)


class Scorer:
    """Scores texts with one model package. Thread-safe: calls from several threads run side by side.

    Attributes:
        labels: What the columns of the scores mean.
        max_tokens: How many tokens of a text are read.
        certain_from: The confidence from which a prediction is certain; infinite where none is.
    """

    def __init__(self, package: Package, *, threads: int = 1) -> None:
        """Load a verified package.

        Args:
            package: From `bento.package.read_package`.
            threads: How many threads one call may use.

        Raises:
            PackageError: The package needs another text normaliser, or its files do not hold what the
                contract says.
        """
        manifest = package.manifest
        if manifest.normaliser_version != NORMALISER_VERSION:
            raise PackageError(
                f"{package.path}: made with text normaliser {manifest.normaliser_version}, this code has "
                f"{NORMALISER_VERSION}; use the version that belongs to the package, or train it again"
            )
        self.labels: tuple[Label, ...] = manifest.labels
        self.max_tokens = manifest.limits.max_tokens
        threshold = manifest.certainty.threshold
        self.certain_from = math.inf if threshold is None else threshold
        self._tokenizer = load_tokenizer(package.tokenizer)
        truncation = self._tokenizer.truncation
        if truncation is None or truncation["max_length"] != self.max_tokens:
            raise PackageError(f"{package.path}: tokenizer.json must truncate at {self.max_tokens} tokens")
        self._session = _open_session(package, threads)
        self._canaries = manifest.canaries
        rounded = manifest.quantisation.method != "none"
        self._tolerance = ROUNDED_CANARY_TOLERANCE if rounded else CANARY_TOLERANCE
        self._path = package.path

    def encode(self, text: str) -> Encoding:
        """Normalise and tokenise one text."""
        encoding = self._tokenizer.encode(normalise(text))
        return Encoding(encoding.ids, bool(encoding.overflowing))

    def score(self, batch: Sequence[Encoding]) -> NDArray[np.float32]:
        """Score encoded texts in one run of the graph.

        Args:
            batch: At least one; padded to the longest, so texts of similar length cost least.

        Returns:
            Probabilities [texts, labels], rows in the order of the batch.

        Raises:
            GraphError: The graph fails, or returns another shape.
        """
        tokens = max(1, *map(len, batch))
        ids = np.zeros((len(batch), tokens), np.int64)
        mask = np.zeros((len(batch), tokens), np.int64)
        for row, encoding in enumerate(batch):
            ids[row, : len(encoding)] = encoding.ids
            mask[row, : len(encoding)] = 1
        try:
            (probabilities,) = self._session.run(
                ["probabilities"], {"input_ids": ids, "attention_mask": mask}
            )
        except _ORT_ERRORS as error:
            raise GraphError(f"{self._path}: model.onnx fails: {_one_line(error)}") from error
        scores = np.asarray(probabilities, np.float32)
        expected = (len(batch), len(self.labels))
        if scores.shape != expected:
            raise GraphError(
                f"{self._path}: model.onnx returns scores of shape {scores.shape} where {expected} is due"
            )
        if not np.isfinite(scores).all():
            raise GraphError(f"{self._path}: model.onnx returns scores that are no numbers")
        return scores

    def predict(self, texts: Sequence[str], *, batch_tokens: int = 1024) -> NDArray[np.float32]:
        """Score texts offline: encoded, sorted by length, run in batches, put back in order.

        Args:
            texts: Any number.
            batch_tokens: How many padded tokens one run may hold.

        Returns:
            Probabilities [texts, labels].

        Raises:
            GraphError: See `score`.
        """
        scores = np.empty((len(texts), len(self.labels)), np.float32)
        encodings = [self.encode(text) for text in texts]
        for rows in plan_batches([len(encoding) for encoding in encodings], batch_tokens):
            scores[rows] = self.score([encodings[row] for row in rows])
        return scores

    def check(self) -> None:
        """Score the package's canary texts in batches, the first few alone as well, and compare.

        Raises:
            PackageError: A score is not what the exporting machine saw, so the package is damaged in a
                way that no checksum shows, or this machine computes wrongly.
        """
        texts = [canary.text for canary in self._canaries]
        expected = np.array([[canary.scores[label] for label in self.labels] for canary in self._canaries])
        alone = np.concatenate([self.score([self.encode(text)]) for text in texts[:_CANARIES_ALONE]])
        for how, scores in (("alone", alone), ("in a batch", self.predict(texts))):
            differences = np.abs(scores - expected[: len(scores)]).max(axis=1)
            number = int(differences.argmax())  # of the worst, and a NaN is worse than any
            if not differences[number] <= self._tolerance:
                raise PackageError(
                    f"{self._path}: canary text {number} scores {differences[number]:.4f} away {how} from "
                    f"what its manifest says (allowed {self._tolerance}); train or fetch the package again"
                )


def load_tokenizer(content: bytes) -> Tokenizer:
    """Read a `tokenizer.json` for scoring: no padding, and special tokens in a text are plain text.

    Raises:
        PackageError: It is not one.
    """
    try:
        tokenizer = Tokenizer.from_buffer(content)
    except ValueError as error:
        raise PackageError(f"tokenizer.json cannot be read: {error}") from error
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer


def plan_batches(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Group indices so that texts of similar length run together.

    Args:
        lengths: Tokens of each text.
        batch_tokens: What a group's size times its longest text may come to; a longer text goes alone. Little
            of it is padding.

    Yields:
        Indices into `lengths`, every one exactly once, longest texts first.
    """
    group: list[int] = []
    tokens = 0
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        padded = (len(group) + 1) * (lengths[group[0]] if group else 0)
        if padded > batch_tokens or padded - tokens - lengths[index] > _PADDING * padded:
            yield group
            group, tokens = [], 0
        group.append(index)
        tokens += lengths[index]
    if group:
        yield group


def _open_session(package: Package, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # its errors come as exceptions; it need not print them as well
    try:
        session = ort.InferenceSession(package.graph, options, providers=["CPUExecutionProvider"])
    except _ORT_ERRORS as error:
        raise PackageError(f"{package.path}: model.onnx cannot be loaded: {_one_line(error)}") from error
    session._model_bytes = None  # kept only to open it anew with other providers, and as large as the model
    inputs = {put.name: put.type for put in session.get_inputs()}
    outputs = {put.name: put.type for put in session.get_outputs()}
    if inputs != {"input_ids": "tensor(int64)", "attention_mask": "tensor(int64)"} or outputs != {
        "probabilities": "tensor(float)"
    }:
        raise PackageError(
            f"{package.path}: model.onnx has inputs {inputs} and outputs {outputs}, not the contract's"
        )
    return session


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
