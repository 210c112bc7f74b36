"""The peers' environment: made when it is wanted, apart from the product's."""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_VENV = _ROOT / ".valence" / "bench" / "venv"
_LOCK = _ROOT / "benchmarks" / "requirements.txt"
_TORCH = _ROOT / "requirements" / "torch.txt"
_STAMP = _VENV / ".installed"

PYTHON = _VENV / "bin" / "python"


class InstallError(Exception):
    """The peers could not be installed."""


def make_environment() -> None:
    """Install the pinned peers, unless they are there.

    Raises:
        InstallError: A step failed; what it printed says why.
    """
    wanted = hashlib.sha256(_LOCK.read_bytes() + _TORCH.read_bytes()).hexdigest()
    if _STAMP.exists() and _STAMP.read_text() == wanted and PYTHON.exists():
        return
    _STAMP.unlink(missing_ok=True)
    print("==> [1/3] making the peers' environment .valence/bench/venv", flush=True)
    venv.create(_VENV, with_pip=True)
    print("==> [2/3] installing the pinned peers of benchmarks/requirements.txt", flush=True)
    uv = Path(sys.executable).parent / "uv"
    _run(
        [
            str(uv),
            "pip",
            "install",
            "--python",
            str(PYTHON),
            "--require-hashes",
            "--no-deps",
            "-r",
            str(_LOCK),
        ]
    )
    index = os.environ.get("TORCH_INDEX")
    print("==> [3/3] installing torch", flush=True)
    only = ["--no-deps", "--index-url", index] if index else []
    _run([str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", *only, "-r", str(_TORCH)])
    _STAMP.write_text(wanted)


def _run(command: list[str]) -> None:
    if subprocess.run(command, check=False).returncode:  # noqa: S603 - from this module
        raise InstallError(
            f"installing the peers failed: {' '.join(command)}. The lines above say why; mend it "
            "(network, disk space) and run make bench again"
        )
