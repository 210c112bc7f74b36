"""What a run ran on, and with which versions."""

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.environment import PYTHON
from bento.cpus import usable_cpus

_OURS = ("bentoml", "onnxruntime", "tokenizers", "uvicorn", "uvloop", "httptools", "starlette", "numpy")
_PEERS = (
    "bentoml",
    "fastapi",
    "flask",
    "gunicorn",
    "litserve",
    "onnxruntime",
    "tokenizers",
    "torch",
    "transformers",
)
_VERSIONS = (
    "import sys, json; from importlib.metadata import version; "
    "print(json.dumps({name: version(name) for name in sys.argv[1:]}))"
)


def describe_machine() -> dict[str, Any]:
    """Return the machine and the versions as a report shows them."""
    root = Path(__file__).resolve().parent.parent
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"],  # noqa: S607 - git is wherever it is
        cwd=root,
        check=False,
        capture_output=True,
        text=True,
    )
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip() or None,
        "cpu": _cpu_model(),
        "cpus": usable_cpus(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
        "versions": {
            "valence": _versions(sys.executable, _OURS),
            "peers": _versions(str(PYTHON), _PEERS),
        },
    }


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


def _versions(python: str, names: tuple[str, ...]) -> dict[str, str]:
    answer = subprocess.run(  # noqa: S603 - a constant, in one of our environments
        [python, "-c", _VERSIONS, *names], check=True, capture_output=True, text=True
    )
    versions: dict[str, str] = json.loads(answer.stdout)
    return versions
