"""`make load`: locust, headless, against a server that runs or one that is started for it.

Exit codes: 0 within the limits, 1 not, 2 it could not be tried.
"""

import argparse
import os
import signal
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from tests.load.served import ROOT, ServerError, is_ready, serve

_REPORTS = ROOT / ".valence" / "load"
_LOCUSTFILE = Path(__file__).with_name("locustfile.py")
_DEFAULTS = ("--users", "10", "--run-time", "30s", "--stop-timeout", "10")
_VERDICT_IS_OURS = ("--exit-code-on-error", "0", "--only-summary", "--loglevel", "WARNING")


def main() -> int:
    """Run the load test."""
    arguments, for_locust = _parse()
    if _locust(["--list", *for_locust], stdout=subprocess.DEVNULL):  # which reads them all, and asks nobody
        sys.stderr.write("load: the line above says which option cannot be used; nothing was begun\n")
        return 2
    arguments.reports.mkdir(parents=True, exist_ok=True)
    report = arguments.reports / "report.html"
    report.unlink(missing_ok=True)  # so that none is taken for this run's
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the server ends too
    try:
        with _server(arguments) as url:
            code = _locust(["--host", url, "--html", str(report), *for_locust])
    except ServerError as error:
        sys.stderr.write(f"load: {error}\n")
        return 2
    if report.exists():
        sys.stdout.write(f"load: the report is {report}\n")
    return code


def _parse() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="python -m tests.load",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="All other options are locust's: --users, --run-time, --shape, --seed, --max-error-ratio, "
        "--max-p95-ms, --max-p99-ms",
    )
    parser.add_argument("--url", type=_url, help="a server that runs already: http://localhost:3000")
    parser.add_argument("--model", help="what to serve otherwise (default: what is in production)")
    parser.add_argument("--reports", type=Path, default=_REPORTS, help="folder for report and server log")
    return parser.parse_known_args()


def _url(given: str) -> str:
    if not given.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{given} does not begin with http://; try http://{given}")
    return given.rstrip("/")


def _server(arguments: argparse.Namespace) -> AbstractContextManager[str]:
    if not arguments.url:
        return serve(arguments.reports / "server.log", arguments.model)
    if not is_ready(arguments.url):
        raise ServerError(f"{arguments.url}/readyz does not answer 200; without --url a server is started")
    return nullcontext(arguments.url)


def _locust(options: list[str], stdout: int | None = None) -> int:
    command = (str(Path(sys.executable).with_name("locust")), "--headless", "--locustfile", str(_LOCUSTFILE))
    return subprocess.run(
        [*command, *_DEFAULTS, *_VERDICT_IS_OURS, *options],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=stdout,
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
