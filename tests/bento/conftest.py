"""What the tests of `bento` share: a tiny model package, the API around it, a live server of it.

The package is made in milliseconds and as real as any. Its graph adds up a weight per token and label,
so a text's scores follow from its words alone.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import httpx
import numpy as np
import onnx
import pytest
from mlflow import MlflowClient
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace

from bento.api import create_app
from bento.package import (
    CANARIES,
    MODEL_NAME,
    Canary,
    Certainty,
    Histogram,
    Label,
    Limits,
    Manifest,
    Package,
    Profile,
    hash_files,
    write_package,
)
from bento.registry import Resolved
from bento.scorer import load_tokenizer
from bento.settings import Settings
from bento.text import NORMALISER_VERSION, normalise

THREE_LABELS: tuple[Label, ...] = ("negative", "neutral", "positive")
TWO_LABELS: tuple[Label, ...] = ("negative", "positive")
LEXICON: dict[str, dict[Label, float]] = {
    "good": {"positive": 3.0},
    "fantastic": {"positive": 5.0},
    "bad": {"negative": 3.0},
    "awful": {"negative": 5.0},
    "table": {"neutral": 3.0},
    "film": {},
    "the": {},
    "was": {},
}
_ROOT = Path(__file__).resolve().parents[2]
_WITHIN_S = 60  # that a server starts or stops
_WIDTH = 1024  # of the layers that only take time
_FIXED_TIME = datetime(2024, 1, 1, tzinfo=UTC)


class MakeApp(Protocol):
    """Makes the API around a package; settings as in `bento.settings`."""

    def __call__(self, package: Path, **settings: Any) -> Starlette: ...  # noqa: ANN401


class MakePackage(Protocol):
    """Writes a tiny valid package; everything but the path has a default.

    `extra_words` are neither good nor bad; at a word of `poison` the graph fails. Each of the `layers` makes
    it slower, by about a tenth of a millisecond a token, and changes nothing else.
    """

    def __call__(
        self,
        path: Path,
        *,
        labels: tuple[Label, ...] = THREE_LABELS,
        max_tokens: int = 64,
        run_id: str | None = None,
        extra_words: Iterable[str] = (),
        poison: Iterable[str] = (),
        layers: int = 0,
    ) -> Package: ...


def _tokenizer(max_tokens: int, words: list[str]) -> bytes:
    vocabulary = {word: number for number, word in enumerate(["[UNK]", *words])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106 - a token of text
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer.to_str().encode()


def _graph(weights: NDArray[np.float64], layers: int) -> bytes:
    """softmax(sum over tokens of mask * weights[id]); the first row of `weights` is an unknown word's.

    The sums then go through `layers` of the product with a matrix that leaves them as they are.
    """
    tokens = ["batch", "tokens"]
    labels = weights.shape[1]
    weights = np.pad(weights, ((0, 0), (0, _WIDTH - labels))) if layers else weights
    through = ["gathered", *(f"gathered{layer}" for layer in range(layers))]
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["weights", "input_ids"], ["gathered"]),
            helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["mask", "last"], ["mask3"]),
            *(helper.make_node("MatMul", [before, "same"], [after]) for before, after in pairwise(through)),
            helper.make_node("Mul", [through[-1], "mask3"], ["masked"]),
            helper.make_node("ReduceSum", ["masked", "middle"], ["sums"], keepdims=0),
            helper.make_node("Slice", ["sums", "none", "labels", "middle"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
        ],
        "tiny",
        [
            helper.make_tensor_value_info("input_ids", TensorProto.INT64, tokens),
            helper.make_tensor_value_info("attention_mask", TensorProto.INT64, tokens),
        ],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", labels])],
        [
            *([numpy_helper.from_array(np.eye(_WIDTH, dtype=np.float32), "same")] if layers else []),
            numpy_helper.from_array(np.array([0], np.int64), "none"),
            numpy_helper.from_array(np.array([labels], np.int64), "labels"),
            numpy_helper.from_array(weights.astype(np.float32), "weights"),
            numpy_helper.from_array(np.array([2], np.int64), "last"),
            numpy_helper.from_array(np.array([1], np.int64), "middle"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    serialised: bytes = model.SerializeToString()
    return serialised


def _make_package(
    path: Path,
    *,
    labels: tuple[Label, ...] = THREE_LABELS,
    max_tokens: int = 64,
    run_id: str | None = None,
    extra_words: Iterable[str] = (),
    poison: Iterable[str] = (),
    layers: int = 0,
) -> Package:
    words = [*LEXICON, *extra_words]
    weights = np.zeros((len(words) + 1, len(labels)), np.float64)
    for row, word in enumerate(words, start=1):
        for label, weight in LEXICON.get(word, {}).items():
            if label in labels:
                weights[row, labels.index(label)] = weight
    content = _tokenizer(max_tokens, [*words, *poison])
    tokenizer = load_tokenizer(content)

    def expected(text: str) -> dict[Label, float]:
        logits = weights[tokenizer.encode(normalise(text)).ids].sum(axis=0)
        shares = np.exp(logits - logits.max())
        return dict(zip(labels, (shares / shares.sum()).tolist(), strict=True))

    canaries = tuple(
        Canary(text=text, scores=expected(text))
        for text in (f"the film was {words[number % len(words)]}" for number in range(CANARIES))
    )
    graph = _graph(weights, layers)
    third = 1 / len(labels)
    manifest = Manifest(
        name="valence-sentiment",
        family="lexicon",
        labels=labels,
        limits=Limits(max_tokens=max_tokens),
        normaliser_version=NORMALISER_VERSION,
        temperature=1.0,
        created_at=_FIXED_TIME,
        run_id=run_id,
        data_sha256="0" * 64,
        git_commit=None,
        metrics={"macro_f1": 0.75, "accuracy": 0.8},
        certainty=Certainty(threshold=0.95, share=0.4),
        profile=Profile(
            sentiment=dict.fromkeys(labels, third),
            confidence=Histogram(bounds=(0.5, 0.8), shares=(0.2, 0.3, 0.5)),
            input_tokens=Histogram(bounds=(8.0, 64.0), shares=(0.5, 0.4, 0.1)),
        ),
        canaries=canaries,
        files=hash_files(tokenizer=content, graph=graph),
    )
    return write_package(path, manifest, tokenizer=content, graph=graph)


@dataclass(frozen=True)
class Registry:
    """An MLflow registry on this machine, with packages by version."""

    home: Path
    packages: dict[str, Package]

    @property
    def uri(self) -> str:
        """Its address."""
        return f"sqlite:///{self.home / 'mlflow.db'}"

    def stored(self, version: str) -> Path:
        """Where the registry has a version's package."""
        return self.home / f"artifacts/{self.packages[version].manifest.run_id}/artifacts/package"


def _spoil(package: Package) -> Package:
    """Change what one canary should score, so that the package is whole, and is not what it says."""
    first, *others = package.manifest.canaries
    scores = dict(zip(first.scores, reversed(first.scores.values()), strict=True))
    canaries = (first.model_copy(update={"text": "awful", "scores": scores}), *others)
    manifest = package.manifest.model_copy(update={"canaries": canaries})
    return write_package(package.path, manifest, tokenizer=package.tokenizer, graph=package.graph)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Version 1 in production, version 2 of two labels staged, version 3 that fails its canary texts."""
    registry = Registry(tmp_path_factory.mktemp("registry"), {})
    client = MlflowClient(registry.uri)
    experiment = client.create_experiment("valence", artifact_location=(registry.home / "artifacts").as_uri())
    client.create_registered_model(MODEL_NAME)
    for number, labels, alias in (
        ("1", THREE_LABELS, "production"),
        ("2", TWO_LABELS, "staging"),
        ("3", THREE_LABELS, None),
    ):
        run = client.create_run(experiment).info.run_id
        package = _make_package(registry.home / number, labels=labels, run_id=run)
        if alias is None:
            package = _spoil(package)
        client.log_artifacts(run, str(package.path), "package")
        client.set_terminated(run)
        client.create_model_version(
            MODEL_NAME, f"runs:/{run}/package", run_id=run, tags={"digest": package.digest}
        )
        if alias is not None:
            client.set_registered_model_alias(MODEL_NAME, alias, number)
        registry.packages[number] = package
    return registry


@dataclass(frozen=True)
class LiveServer:
    """A server process that is ready."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


class Serve(Protocol):
    """Starts a server on a free port and waits until it is ready; its end is the context's."""

    def __call__(self, package: Path, **environment: str) -> AbstractContextManager[LiveServer]: ...


@contextmanager
def _serve(
    command: Sequence[str], home: Path, package: Path, environment: dict[str, str]
) -> Iterator[LiveServer]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home.mkdir()
    log = home / "log"
    variables = os.environ | {
        "BENTOML_HOME": str(home / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "true",
        "VALENCE_MODEL": str(package),
        "VALENCE_DRAIN_SERVE_MS": "0",
        "VALENCE_REGISTRY": f"sqlite:///{home}/registry.db",
    }
    with log.open("wb") as output:
        address = ("--host", "127.0.0.1", "--port", str(port))
        process = subprocess.Popen(
            [sys.executable, "-m", *command, *address],
            cwd=_ROOT,
            env=variables | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(url, process, log)
        yield LiveServer(url, process, log)
    finally:
        process.terminate()
        process.wait(_WITHIN_S)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/readyz", timeout=1).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"not ready:\n{log.read_text()}")


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Serve:
    """Return what starts `bentoml serve`; environment variables are given by name."""
    command = ("bentoml", "serve", "bento.service:Valence")
    return lambda package, **environment: _serve(
        command, tmp_path_factory.mktemp("server") / "home", package, environment
    )


@pytest.fixture(scope="session")
def serve_alone(tmp_path_factory: pytest.TempPathFactory) -> Serve:
    """Return what starts `python -m bento.serve`, which has no other process beside it."""
    return lambda package, **environment: _serve(
        ("bento.serve",), tmp_path_factory.mktemp("server") / "home", package, environment
    )


@pytest.fixture(scope="session")
def live_server(serve: Serve, package_dir: Path) -> Iterator[LiveServer]:
    """A server with default settings, shared by the session: send it requests, never stop it."""
    with serve(package_dir) as live:
        yield live


@pytest.fixture(scope="session")
def make_package() -> MakePackage:
    """Return the factory, as in `make_package(path, labels=…, max_tokens=…, extra_words=…, poison=…)`."""
    return _make_package


@pytest.fixture(scope="session")
def package_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package with three labels, shared by the session: read it, never change it."""
    return _make_package(tmp_path_factory.mktemp("package") / "three").path


def _make_app(package: Path, **settings: Any) -> Starlette:  # noqa: ANN401
    return create_app(Settings(**settings), lambda: Resolved(package, None))


@pytest.fixture(scope="session")
def make_app() -> MakeApp:
    """Return the factory, as in `make_app(package, max_batch_texts=3)`."""
    return _make_app


@pytest.fixture(scope="session")
def client(package_dir: Path, make_app: MakeApp) -> Iterator[TestClient]:
    """The API with its default settings, shared by the session."""
    with TestClient(make_app(package_dir)) as client:
        yield client


@pytest.fixture(scope="session")
def two_label_package_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package that knows negative and positive only; read it, never change it."""
    return _make_package(tmp_path_factory.mktemp("package") / "two", labels=TWO_LABELS).path
