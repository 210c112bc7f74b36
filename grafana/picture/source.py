"""What a Prometheus answers."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from grafana.asked import Asked, fill

_POINTS = 100  # of a line; more could not be seen
_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")


class SourceError(Exception):
    """Prometheus did not answer a query; the message says why."""


@dataclass(frozen=True)
class Series:
    """A named line: times in seconds since 1970, values; what is not a number is left out."""

    name: str
    labels: Mapping[str, str]
    times: list[float]
    values: list[float]


@dataclass(frozen=True)
class Source:
    """A Prometheus, the time that is looked at and the values of the dashboards' variables."""

    url: str
    start: float
    end: float
    variables: Mapping[str, str]

    def ask(self, asked: Asked) -> list[Series]:
        """Return a query's series, by name.

        Raises:
            SourceError: It was not answered.
        """
        expr = fill(asked.expr, self.variables)
        if asked.instant:
            found = self._get("query", {"query": expr, "time": self.end})
        else:
            step = max((self.end - self.start) / _POINTS, 1)
            span = {"start": self.start, "end": self.end, "step": step}
            found = self._get("query_range", {"query": expr, **span})
        return sorted((_series(each, asked.legend) for each in found), key=lambda series: series.name)

    def _get(self, what: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        try:
            answer = httpx.get(f"{self.url}/api/v1/{what}", params=dict(parameters), timeout=30).json()
        except (httpx.TransportError, ValueError) as error:
            raise SourceError(f"{self.url} does not answer like a Prometheus: {error}") from error
        if answer["status"] != "success":
            raise SourceError(f"{answer['error']}, in: {parameters['query']}")
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result


def _series(found: dict[str, Any], legend: str) -> Series:
    labels = found["metric"]
    samples = found["values"] if "values" in found else [found["value"]]
    points = [(float(time), float(value)) for time, value in samples]
    points = [(time, value) for time, value in points if math.isfinite(value)]
    name = _LABEL.sub(lambda label: labels.get(label[1], ""), legend)
    return Series(name, labels, [time for time, _ in points], [value for _, value in points])
