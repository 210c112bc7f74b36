"""`python -m prometheus.generate`: make the rules of `slos.yaml`, here and in the chart.

With `--scale 60 --output FOLDER` it makes the same for another pace: every window, `for` and interval of the
rules, of `prometheus.yml` and of `alertmanager.yml` is divided by 60, so what takes an hour takes a minute.
"""

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from prometheus.alerting import burn_alerts, other_alerts
from prometheus.durations import seconds, shorten, shorten_all
from prometheus.recording import record_budgets, record_window, windows
from prometheus.source import Source

_Rule = dict[str, Any]

_HERE = Path(__file__).resolve().parent
_COMMITTED = (_HERE / "rules", _HERE.parent / "helm" / "valence" / "files" / "rules")
_CONFIGURATION = ("prometheus.yml", "alertmanager.yml")
_HEAD = "# Made from prometheus/slos.yaml by `python -m prometheus.generate`; change it there.\n"
_PACE = re.compile(r"(interval|timeout|wait): (\d+(?:s|m|h))\b")
_LONG_S = 86_400  # windows from here on are much to read
_SELDOM = "2m"  # well within the five minutes after which Prometheus takes a series for gone
_SHORTEST_PACE_S = 1


class _Dumper(yaml.SafeDumper):
    """Writes what has several lines as such, and what stands twice twice."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - as it is called
        return True


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


def rule_files(source: Source, scale: int = 1) -> dict[str, str]:
    """Return the files of rules: name to content."""
    files = {
        "recording.yaml": [
            _group("valence-metrics", source.records, scale),
            *(
                _group(
                    f"valence-slo-{window}",
                    record_window(source, window),
                    scale,
                    every=_SELDOM if seconds(window) >= _LONG_S else None,
                )
                for window in windows(source)
            ),
            _group("valence-slo-budget", record_budgets(source), scale, every=_SELDOM),
        ],
        "alerts.yaml": [
            _group("valence-slo-alerts", burn_alerts(source, scale), scale),
            _group("valence-alerts", other_alerts(source), scale),
        ],
    }
    return {name: _HEAD + _dump({"groups": groups}) for name, groups in files.items()}


def configuration(scale: int) -> dict[str, str]:
    """Return Prometheus's and Alertmanager's configuration: name to content.

    Neither scrapes nor evaluates more often than once a second, whatever the scale.
    """

    def divide(found: re.Match[str]) -> str:
        pace_s = max(_SHORTEST_PACE_S, seconds(found[2]) / scale)
        return f"{found[1]}: {round(pace_s * 1000)}ms"

    return {name: _PACE.sub(divide, (_HERE / name).read_text(encoding="utf-8")) for name in _CONFIGURATION}


def _group(
    name: str, rules: Iterable[dict[str, Any]], scale: int, *, every: str | None = None
) -> dict[str, Any]:
    pace = {"interval": shorten(every, scale)} if every else {}
    return {"name": name, **pace, "rules": [_shorten(rule, scale) for rule in rules]}


def _shorten(rule: _Rule, scale: int) -> _Rule:
    shorter = rule | {"expr": shorten_all(rule["expr"], scale)}
    if "for" in rule:
        shorter["for"] = shorten(rule["for"], scale)
    return shorter


def _dump(document: dict[str, Any]) -> str:
    dumped: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)
    return dumped


def _write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")


def _stale(folder: Path, files: dict[str, str]) -> list[Path]:
    """Return what is missing, not as it would be made, or should not be there."""
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*")}
    return [
        folder / name for name in sorted(found.keys() | files.keys()) if found.get(name) != files.get(name)
    ]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m prometheus.generate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--check", action="store_true", help="only tell whether what is committed is fresh")
    parser.add_argument("--scale", type=int, default=1, help="divide every duration by this; needs --output")
    parser.add_argument("--output", type=Path, help="where everything goes instead")
    arguments = parser.parse_args()
    if arguments.scale < 1:
        parser.error("--scale is at least 1")
    if arguments.scale > 1 and not arguments.output:
        parser.error("--scale needs --output FOLDER: what is committed keeps its pace")
    if arguments.check and arguments.output:
        parser.error("--check is of what is committed; leave --output out")
    return arguments


def main() -> int:
    """Write, or check.

    Returns:
        0, or 1 where `--check` finds something stale.
    """
    arguments = _parse()
    files = rule_files(Source.read(), arguments.scale)
    if arguments.output:
        _write(arguments.output, configuration(arguments.scale))
        _write(arguments.output / "rules", files)
        return 0
    if arguments.check:
        stale = [path for folder in _COMMITTED for path in _stale(folder, files)]
        for path in stale:
            print(
                f"{path.relative_to(_HERE.parent)} is stale; run python -m prometheus.generate",
                file=sys.stderr,
            )
        return 1 if stale else 0
    for folder in _COMMITTED:
        for path in _stale(folder, files):
            path.unlink(missing_ok=True)
        _write(folder, files)
    return 0


if __name__ == "__main__":
    sys.exit(main())
