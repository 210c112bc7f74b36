"""What a release would change, before it is made: both packages score the same texts."""

import csv
import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from k8s.release.compare import compare_files
from k8s.release.note import write_note
from k8s.release.outcome import ReleaseError
from k8s.release.registry import Found

PLANS = Path(".valence/releases")
SCHEMA_VERSION = 1


def make_plan(
    live: Found, candidate: Found, sample: Path, replicas: int | None, say: Callable[[str], None]
) -> tuple[Path, dict[str, Any]]:
    """Score a sample with two packages and write down what differs.

    Args:
        live: Downloaded.
        candidate: Downloaded.
        sample: CSV (also `.gz`) with a column `text`, or plain text with one text in each line.
        replicas: How many pods serve now, None where nobody knows.
        say: Told of progress.

    Returns:
        The folder, with `plan.json` for programs, `note.md` for people and `flips.csv` with the texts that
        flip, and what is in `plan.json`.

    Raises:
        ReleaseError: A file cannot be read or scored.
    """
    folder = PLANS / f"{live.model.version}-{candidate.model.version}-{candidate.model.digest[7:19]}"
    PLANS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".plan-", dir=PLANS) as scratch:
        source = _as_csv(sample, Path(scratch) / "sample.csv")
        costs = {}
        for name, found in (("live", live), ("candidate", candidate)):
            say(f"scoring {sample} with {found.model}")
            costs[name] = _score(found, source, Path(scratch) / f"{name}.csv")
        say("comparing")
        flips = Path(scratch) / "flips.csv"
        difference = compare_files(Path(scratch) / "live.csv", Path(scratch) / "candidate.csv", flips)
        folder.mkdir(exist_ok=True)
        flips.replace(folder / flips.name)
    plan = {
        "schema_version": SCHEMA_VERSION,
        "live": _name(live),
        "candidate": _name(candidate),
        "sample": {"file": sample.name, "sha256": hashlib.sha256(sample.read_bytes()).hexdigest()},
        **difference,
        "cost": costs,
        "replicas": _replicas(costs, replicas),
    }
    _write(folder / "plan.json", json.dumps(plan, indent=2, ensure_ascii=False) + "\n")
    _write(folder / "note.md", write_note(plan))
    return folder, plan


def _name(found: Found) -> dict[str, str]:
    model = found.model
    return {"name": model.name, "version": model.version, "digest": model.digest}


def _as_csv(sample: Path, target: Path) -> Path:
    if sample.suffix in (".csv", ".gz"):
        return sample.resolve()
    try:
        lines = sample.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ReleaseError(f"{sample}: not UTF-8 ({error.reason}); convert it with iconv") from error
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["text"])
        writer.writerows([line] for line in lines if line.strip())
    return target.resolve()


def _score(found: Found, source: Path, target: Path) -> dict[str, Any]:
    measures = target.with_suffix(".json")
    command = [sys.executable, "-m", "bento.batch", str(source), str(target)]
    options = ["--model", str(found.package), "--measure", str(measures)]
    watched = sys.stderr.isatty()  # then its progress is seen, and what it says of an error too
    done = subprocess.run(  # noqa: S603
        [*command, *options], stderr=None if watched else subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise ReleaseError(f"{found.model}: {(done.stderr or 'its texts were not scored').strip()}")
    cost: dict[str, Any] = json.loads(measures.read_text())
    return cost


def _replicas(costs: dict[str, Any], replicas: int | None) -> dict[str, Any]:
    """As many more pods as a text costs more CPU time, for the traffic of today."""
    ratio = costs["candidate"]["cpu_ms_per_text"] / max(costs["live"]["cpu_ms_per_text"], 1e-9)
    needed = None if replicas is None else max(1, math.ceil(round(replicas * ratio, 2)))
    return {"cpu_ratio": round(ratio, 3), "now": replicas, "needed": needed}


def _write(path: Path, content: str) -> None:
    staging = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with staging.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    staging.replace(path)
