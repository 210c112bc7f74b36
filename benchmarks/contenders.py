"""Who is compared, how each is started, and which of its settings are tried."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bento.cpus import usable_cpus

HOST = "127.0.0.1"
PORT = "{port}"

_AT = ("--host", HOST, "--port", PORT)
_CPUS = str(usable_cpus())
_UVICORN = ("-m", "uvicorn", *_AT, "--loop", "uvloop", "--http", "httptools")
_QUIET = ("--no-access-log", "--log-level", "warning")

Variant = Mapping[str, str]  # settings by name, of which one set serves fastest


@dataclass(frozen=True)
class Contender:
    """A server.

    Attributes:
        name: What tables call it.
        backend: What computes.
        command: How it is started; without the interpreter where `peer`. `{port}` and settings are put in.
        variants: The settings to try.
        peer: It runs in the peers' environment.
        before: What stands before the text in the JSON body.
        after: What stands behind it.
    """

    name: str
    backend: str
    command: tuple[str, ...]
    variants: tuple[Variant, ...] = field(default=({},))
    peer: bool = True
    before: str = '{"text":'
    after: str = "}"


@dataclass(frozen=True)
class Pair:
    """The same weights twice: a model package, and a directory that transformers reads."""

    package: Path
    huggingface: Path


_SPREAD = {"workers": _CPUS, "threads": "1"}  # a process for each processor
_TOGETHER = {"workers": "1", "threads": _CPUS}  # one process for all
_BATCHES = tuple({**where, "batch": batch} for where in (_SPREAD, _TOGETHER) for batch in ("16", "64"))

OURS = Contender("valence", "onnx", (sys.executable, "-m", "bento.serve", *_AT), peer=False)
OURS_WATCHED = Contender(
    "valence, bentoml serve",
    "onnx",
    (sys.executable, "-m", "bentoml", "serve", "bento.service:Valence", *_AT),
    peer=False,
)
FASTAPI = Contender(
    "fastapi",
    "onnx",
    (*_UVICORN, *_QUIET, "--workers", "{workers}", "benchmarks.peers.fastapi_onnx:app"),
    (
        {**_SPREAD, "pool": "1"},
        {**_TOGETHER, "pool": "1"},
        {"workers": "1", "threads": "1", "pool": _CPUS},
    ),
)
BENTOML = Contender(
    "bentoml",
    "onnx",
    ("-m", "bentoml", "serve", "benchmarks.peers.bentoml_onnx:Peer", *_AT),
    _BATCHES,
    before='{"texts":[',
    after="]}",
)
LITSERVE = Contender("litserve", "onnx", ("-m", "benchmarks.peers.litserve_onnx", PORT), _BATCHES)
FASTAPI_PIPELINE = Contender(
    "fastapi",
    "transformers",
    (*_UVICORN, *_QUIET, "--workers", "{workers}", "benchmarks.peers.fastapi_pipeline:app"),
    (_TOGETHER, _SPREAD),
)
FLASK_PIPELINE = Contender(
    "flask+gunicorn",
    "transformers",
    (
        *("-m", "gunicorn", "--bind", f"{HOST}:{PORT}", "--workers", "{workers}", "--threads", "{pool}"),
        *("--log-level", "warning", "--timeout", "120", "benchmarks.peers.flask_pipeline:app"),
    ),
    (
        {**_SPREAD, "pool": "4"},
        {"workers": str(2 * usable_cpus() + 1), "threads": "1", "pool": "4"},
    ),
)
CONTENDERS = (OURS, OURS_WATCHED, FASTAPI, BENTOML, LITSERVE, FASTAPI_PIPELINE, FLASK_PIPELINE)


def describe(variant: Variant) -> str:
    """Return settings as a person reads them."""
    return ", ".join(f"{name} {value}" for name, value in variant.items()) or "as it comes"


def command_line(contender: Contender, variant: Variant) -> str:
    """Return how a server is started, as a person would type it."""
    command = contender.command if contender.peer else contender.command[1:]
    return " ".join(("python", *command)).format(port="PORT", **variant)


def environment(pair: Pair, variant: Variant, scratch: Path) -> dict[str, str]:
    """Return the environment of a server.

    Args:
        pair: What it serves.
        variant: Its settings.
        scratch: An empty directory of its own.
    """
    root = Path(__file__).resolve().parent.parent
    return {
        **os.environ,
        **{f"BENCH_{name.upper()}": value for name, value in variant.items()},
        "BENCH_PACKAGE": str(pair.package.absolute()),
        "BENCH_HUGGINGFACE": str(pair.huggingface.absolute()),
        "BENTOML_DO_NOT_TRACK": "true",
        "BENTOML_HOME": str(scratch / "bentoml"),
        "HF_HUB_OFFLINE": "1",
        "ORT_DISABLE_TELEMETRY": "1",
        "PYTHONPATH": str(root),
        "PYTHONWARNINGS": "ignore",
        "TOKENIZERS_PARALLELISM": "false",
        "VALENCE_DRAIN_SERVE_MS": "0",
        "VALENCE_MODEL": str(pair.package.absolute()),
        "VALENCE_REGISTRY": f"sqlite:///{scratch}/registry.db",
    }
