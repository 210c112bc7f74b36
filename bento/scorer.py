"""The scorer: texts in, scores out, with the files of a model package and nothing else.

Training evaluates with this very module, so that what is measured is what is served.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors
from tokenizers import Tokenizer

from bento.package import Package, PackageError
from bento.text import NORMALISER_VERSION, normalise

CANARY_TOLERANCE = 1e-3  # between processors; a wrong graph or tokenizer is off by far more

_ORT_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)


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
        self.labels: tuple[str, ...] = manifest.labels
        self.max_tokens = manifest.limits.max_tokens
        self._tokenizer = load_tokenizer(package.tokenizer)
        truncation = self._tokenizer.truncation
        if truncation is None or truncation["max_length"] != self.max_tokens:
            raise PackageError(f"{package.path}: tokenizer.json must truncate at {self.max_tokens} tokens")
        self._session = _open_session(package, threads)
        self._canaries = manifest.canaries
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
        """
        tokens = max(1, *map(len, batch))
        ids = np.zeros((len(batch), tokens), np.int64)
        mask = np.zeros((len(batch), tokens), np.int64)
        for row, encoding in enumerate(batch):
            ids[row, : len(encoding)] = encoding.ids
            mask[row, : len(encoding)] = 1
        (probabilities,) = self._session.run(["probabilities"], {"input_ids": ids, "attention_mask": mask})
        return np.asarray(probabilities, np.float32)

    def predict(self, texts: Sequence[str], *, batch_tokens: int = 4096) -> NDArray[np.float32]:
        """Score texts offline: encoded, sorted by length, run in batches, put back in order.

        Args:
            texts: Any number.
            batch_tokens: How many padded tokens one run may hold.

        Returns:
            Probabilities [texts, labels].
        """
        scores = np.empty((len(texts), len(self.labels)), np.float32)
        encodings = [self.encode(text) for text in texts]
        for rows in plan_batches([len(encoding) for encoding in encodings], batch_tokens):
            scores[rows] = self.score([encodings[row] for row in rows])
        return scores

    def check(self) -> None:
        """Score the package's canary texts, each alone, and compare.

        Raises:
            PackageError: A score is not what the exporting machine saw, so the package is damaged in a
                way that no checksum shows, or this machine computes wrongly.
        """
        for number, canary in enumerate(self._canaries):
            scores = self.score([self.encode(canary.text)])[0]
            expected = [canary.scores[label] for label in canary.scores]
            order = [self.labels.index(label) for label in canary.scores]
            difference = float(np.max(np.abs(scores[order] - expected)))
            if not difference <= CANARY_TOLERANCE:
                raise PackageError(
                    f"{self._path}: canary text {number} scores {difference:.4f} away from what its manifest "
                    f"says (allowed {CANARY_TOLERANCE}); train or fetch the package again"
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
        batch_tokens: What a group's size times its longest text may come to; a longer text goes alone.

    Yields:
        Indices into `lengths`, every one exactly once, longest texts first.
    """
    order = iter(sorted(range(len(lengths)), key=lambda index: -lengths[index]))
    for longest in order:
        size = max(1, batch_tokens // max(1, lengths[longest]))
        yield [longest, *islice(order, size - 1)]


def _open_session(package: Package, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(package.graph, options, providers=["CPUExecutionProvider"])
    except _ORT_ERRORS as error:
        raise PackageError(f"{package.path}: model.onnx cannot be loaded: {error}") from error
    inputs = {put.name: put.type for put in session.get_inputs()}
    outputs = {put.name: put.type for put in session.get_outputs()}
    if inputs != {"input_ids": "tensor(int64)", "attention_mask": "tensor(int64)"} or outputs != {
        "probabilities": "tensor(float)"
    }:
        raise PackageError(
            f"{package.path}: model.onnx has inputs {inputs} and outputs {outputs}, not the contract's"
        )
    return session
