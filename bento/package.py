"""The model package: the one form in which a model travels from training to serving.

A package is a directory with exactly three plain files: `manifest.json`, `tokenizer.json` (Hugging Face
tokenizers) and `model.onnx` (`input_ids`, `attention_mask` int64 [batch, tokens] to `probabilities`
float32 [batch, labels]). Its identity is its digest, the SHA-256 of the manifest, which in turn holds
the SHA-256 of the other two. Reading a package runs nothing that it brings.
"""

import hashlib
import json
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

MODEL_NAME = "valence-sentiment"  # what models are registered and stored as
SCHEMA_VERSION = 3  # 1 had fewer fields in `quantisation`, 2 had no `certainty`; all are read
MANIFEST = "manifest.json"
TOKENIZER = "tokenizer.json"
GRAPH = "model.onnx"
MAX_TOKENS = 512
CANARIES = 32

_LIMIT_BYTES = {MANIFEST: 4 << 20, TOKENIZER: 64 << 20, GRAPH: 2 << 30}

Label = Literal["negative", "neutral", "positive"]
LABELS: tuple[Label, Label, Label] = ("negative", "neutral", "positive")
FileName = Literal["tokenizer.json", "model.onnx"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Ratio = Annotated[float, Field(ge=0, le=1)]


class PackageError(Exception):
    """A model package cannot be used; the message says which, why, and what to do."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Limits(_Part):
    """How much of a text the model reads."""

    max_tokens: int = Field(ge=2, le=MAX_TOKENS)


class Quantisation(_Part):
    """The numeric form, and what it cost against single precision, measured on the validation rows.

    The bounds are those of a 95% interval (paired bootstrap). `batch_difference` is how far a text's scores
    moved at most when others stood beside it, `batch_flips` how often its sentiment did.
    """

    method: str = "none"
    macro_f1_change: float = 0.0
    macro_f1_change_lower_bound: float = 0.0
    macro_f1_change_upper_bound: float = 0.0
    agreement_with_fp32: Ratio = 1.0
    batch_difference: Ratio = 0.0
    batch_flips: Ratio = 0.0


class Certainty(_Part):
    """When a prediction is called certain: where its confidence is at least `threshold`.

    Of the predictions that are certain at least a share of `promise` is right, on texts like those the
    threshold was found on. Without a threshold the model promises nothing, and no prediction is certain.
    `share` is how many of those texts were certain.
    """

    threshold: Ratio | None = None
    promise: Ratio = 0.95
    share: Ratio = 0.0


class Histogram(_Part):
    """Shares of the training rows by bucket; `bounds` are inclusive upper bounds, the last bucket is open."""

    bounds: tuple[float, ...]
    shares: tuple[Ratio, ...]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.shares) != len(self.bounds) + 1:
            raise ValueError("a histogram needs one share more than it has bounds")
        return self


class Profile(_Part):
    """What the training data looked like, so that drift can be told from it."""

    sentiment: dict[Label, Ratio]
    confidence: Histogram
    input_tokens: Histogram


class Canary(_Part):
    """A text and the scores that the exporting machine saw for it."""

    text: str
    scores: dict[Label, Ratio]


class Manifest(_Part):
    """Everything that is known of a model package; see the module for how it is identified."""

    schema_version: Literal[1, 2, 3] = 3
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    family: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    labels: tuple[Label, ...]
    limits: Limits
    normaliser_version: str
    temperature: float = Field(gt=0, description="Already applied inside the graph.")
    created_at: datetime
    run_id: str | None = Field(description="The MLflow run that made it.")
    data_sha256: Sha256
    git_commit: str | None
    metrics: dict[str, float]
    quantisation: Quantisation = Quantisation()
    certainty: Certainty = Certainty()
    profile: Profile
    canaries: Annotated[tuple[Canary, ...], Field(min_length=CANARIES, max_length=CANARIES)]
    files: dict[FileName, Sha256]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.labels not in (LABELS, (LABELS[0], LABELS[2])):
            raise ValueError("labels must be negative, (neutral,) positive, in this order")
        if set(self.files) != {TOKENIZER, GRAPH}:
            raise ValueError(f"files must name exactly {TOKENIZER} and {GRAPH}")
        if any(set(canary.scores) != set(self.labels) for canary in self.canaries):
            raise ValueError("a canary's scores must name exactly the labels of the model")
        return self


@dataclass(frozen=True)
class Package:
    """A verified model package, held in memory: what was hashed is what is used."""

    path: Path
    manifest: Manifest
    digest: str
    tokenizer: bytes
    graph: bytes


def digest_of(manifest: bytes) -> str:
    """Return the identity of the package with this manifest: `sha256:` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(manifest).hexdigest()


def hash_files(*, tokenizer: bytes, graph: bytes) -> dict[FileName, str]:
    """Return what a manifest says of these two files."""
    return {
        "tokenizer.json": hashlib.sha256(tokenizer).hexdigest(),
        "model.onnx": hashlib.sha256(graph).hexdigest(),
    }


def write_package(directory: Path, manifest: Manifest, *, tokenizer: bytes, graph: bytes) -> Package:
    """Write a package so that `directory` either holds all of it or does not exist.

    Args:
        directory: Where it goes; replaced when it exists.
        manifest: What is known of the model; its `files` come from `hash_files`.
        tokenizer: The content of `tokenizer.json`.
        graph: The content of `model.onnx`.

    Returns:
        The package as read back from disk.

    Raises:
        PackageError: What was written does not verify.
        OSError: It could not be written; nothing is left behind.
    """
    return _place(directory, manifest.model_dump_json(indent=2).encode(), tokenizer=tokenizer, graph=graph)


def copy_package(package: Package, directory: Path) -> Package:
    """Write a package that was read to another place, to the byte; otherwise as `write_package`.

    Raises:
        PackageError: See `write_package`; also where its manifest has changed since it was read.
        OSError: See `write_package`.
    """
    manifest = _read(package.path / MANIFEST)
    return _place(
        directory, manifest, tokenizer=package.tokenizer, graph=package.graph, digest=package.digest
    )


def _place(
    directory: Path, manifest: bytes, *, tokenizer: bytes, graph: bytes, digest: str | None = None
) -> Package:
    directory.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        _write(staging / TOKENIZER, tokenizer)
        _write(staging / GRAPH, graph)
        _write(staging / MANIFEST, manifest)
        staging.chmod(0o755)
        written = read_package(staging, digest)
        if directory.exists():
            shutil.rmtree(directory)
        staging.rename(directory)
        _sync(directory.parent)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return replace(written, path=directory)


def read_package(directory: Path, digest: str | None = None) -> Package:
    """Read and verify a package.

    Args:
        directory: The package.
        digest: When given, the digest that it must have.

    Raises:
        PackageError: It is not there, not complete, not what its digests say, or not for this server.
    """
    if not directory.is_dir():
        raise PackageError(f"{directory}: no model package there (a directory with {MANIFEST} is expected)")
    expected = {MANIFEST, TOKENIZER, GRAPH}
    found = {entry.name for entry in os.scandir(directory)}
    if found != expected:
        wrong = ", ".join(sorted(found ^ expected))
        raise PackageError(
            f"{directory}: a package holds exactly {sorted(expected)}; missing or extra: {wrong}"
        )
    raw = _read(directory / MANIFEST)
    actual = digest_of(raw)
    if digest is not None and digest != actual:
        raise PackageError(f"{directory}: the digest is {actual}, not the required {digest}")
    manifest = _parse(directory / MANIFEST, raw)
    contents: dict[str, bytes] = {name: _read(directory / name) for name in manifest.files}
    for name, sha256 in manifest.files.items():
        if hashlib.sha256(contents[name]).hexdigest() != sha256:
            raise PackageError(
                f"{directory / name}: not what the manifest says (damaged or changed); fetch it again"
            )
    return Package(directory, manifest, actual, contents[TOKENIZER], contents[GRAPH])


def read_digest(directory: Path) -> str:
    """Return what a package's digest is by its manifest; that the rest fits is for `read_package` to say.

    Raises:
        PackageError: It has no manifest that can be read.
    """
    return digest_of(_read(directory / MANIFEST))


def _parse(path: Path, raw: bytes) -> Manifest:
    try:
        version = json.loads(raw)["schema_version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PackageError(f"{path}: not a manifest ({type(error).__name__}: {error})") from error
    if type(version) is not int or not 1 <= version <= SCHEMA_VERSION:
        raise PackageError(
            f"{path}: schema version {version!r}, but this server reads 1 to {SCHEMA_VERSION}; "
            "use the server version that belongs to the package, or train it again"
        )
    try:
        return Manifest.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "manifest"
        raise PackageError(
            f"{path}: {place}: {first['msg']} ({error.error_count()} errors in all)"
        ) from error


def _read(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise PackageError(
            f"{path}: cannot be read as a plain file ({error.strerror}); links are refused"
        ) from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise PackageError(f"{path}: not a plain file")
        if status.st_size > _LIMIT_BYTES[path.name]:
            raise PackageError(
                f"{path}: {status.st_size} bytes, more than the {_LIMIT_BYTES[path.name]} allowed"
            )
        return file.read()


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
