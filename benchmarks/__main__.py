"""Compare the server with its peers: `make bench`.

Writes `docs/benchmarks.json`, and from it `docs/benchmarks.md` and `docs/benchmarks.svg`.
"""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

from benchmarks.contenders import Pair
from benchmarks.environment import InstallError, make_environment
from benchmarks.load import LoadError
from benchmarks.model import make_pair
from benchmarks.plan import FULL, QUICK
from benchmarks.report import write_report
from benchmarks.run import run
from benchmarks.server import ServerError
from bento.package import PackageError
from training.errors import TrainingError

_ROOT = Path(__file__).resolve().parent.parent
_SCRATCH = _ROOT / ".valence" / "bench"
_OUTPUT = _ROOT / "docs" / "benchmarks.json"


def main() -> int:
    """Run; exit code 1: something did not start or was not loaded as planned; 2: the call was wrong."""
    arguments = _parse()
    try:
        make_environment()
        pair = (
            Pair(arguments.package, arguments.huggingface)
            if arguments.package
            else make_pair(_SCRATCH / "model")
        )
        plan = QUICK if arguments.quick else FULL
        document = run(pair, plan, soak_minutes=arguments.soak, scratch=_SCRATCH)
    except (InstallError, LoadError, PackageError, ServerError, TrainingError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    staging = arguments.output.with_suffix(".new")
    staging.write_text(json.dumps(_plain(document), indent=1, allow_nan=False) + "\n")
    staging.replace(arguments.output)
    print(write_report(arguments.output))
    return 0


def _plain(part: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return the same without NaN, which JSON does not know: null says that nothing was answered."""
    if isinstance(part, dict):
        return {name: _plain(value) for name, value in part.items()}
    if isinstance(part, list | tuple):
        return [_plain(value) for value in part]
    return None if isinstance(part, float) and math.isnan(part) else part


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of short cells: to try it out")
    parser.add_argument("--soak", type=float, default=0, metavar="MINUTES", help="watch memory for so long")
    parser.add_argument("--package", type=Path, help="a model package to serve, with --huggingface")
    parser.add_argument("--huggingface", type=Path, help="the same weights as transformers reads them")
    parser.add_argument("--output", type=Path, default=_OUTPUT, help="where the rows go (%(default)s)")
    arguments = parser.parse_args()
    if (arguments.package is None) != (arguments.huggingface is None):
        parser.error("--package and --huggingface go together")
    if 0 < arguments.soak < 1:
        parser.error("--soak of less than a minute says nothing")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
