"""What `slos.yaml` says, checked as far as promtool does not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import yaml

SOURCE = Path(__file__).with_name("slos.yaml")

Severity = Literal["page", "ticket"]


class Slo(NamedTuple):
    """A promise: of `requests`, at most 1 - `objective` are `errors`, or not `good` where that is given."""

    name: str
    objective: float
    requests: str
    alert: str
    what: str
    errors: str = ""
    good: str = ""


class Burn(NamedTuple):
    """How fast a budget burns, seen over which windows, for somebody to be told."""

    rate: float
    long: str
    short: str
    wait: str
    severity: Severity


class Alert(NamedTuple):
    """An alert that is no SLO's."""

    alert: str
    severity: Severity
    wait: str
    dashboard: str
    expr: str
    summary: str
    description: str


class Source(NamedTuple):
    """The whole file."""

    budget: str
    slos: tuple[Slo, ...]
    minimum_requests: int
    burns: tuple[Burn, ...]
    records: tuple[dict[str, str], ...]
    alerts: tuple[Alert, ...]

    @classmethod
    def read(cls, path: Path = SOURCE) -> Self:
        """Read the file.

        Raises:
            KeyError, TypeError: A key is missing or unknown.
        """
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        made = {
            "slos": tuple(Slo(**each) for each in content["slos"]),
            "burns": tuple(Burn(**_wait(each)) for each in content["burns"]),
            "records": tuple(content["records"]),
            "alerts": tuple(Alert(**_wait(each)) for each in content["alerts"]),
        }
        return cls(**content | made)


def _wait(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Rename `for`, which Python keeps for itself."""
    return {"wait" if key == "for" else key: value for key, value in entry.items()}
