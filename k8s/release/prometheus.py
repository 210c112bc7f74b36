"""Numbers out of a Prometheus."""

import math

import httpx

from k8s.release.outcome import Exit, ReleaseError
from k8s.release.web import explain, hide_password

_ANSWER_S = 10


class PrometheusError(ReleaseError):
    """Prometheus does not answer, or not as Prometheus does."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Exit.UNPROVEN)


class Prometheus:
    """One server, by the address that its own page has; a path before `/api` is kept."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def number(self, query: str, at: float | None = None) -> float:
        """Return the value of a query that gives one; 0 where it gives none, as nothing was counted.

        Args:
            query: PromQL.
            at: When, in seconds since 1970; None: now.

        Raises:
            PrometheusError: There is no such answer.
        """
        asked = {"query": query} | ({} if at is None else {"time": str(at)})
        try:
            answer = httpx.post(f"{self._url}/api/v1/query", data=asked, timeout=_ANSWER_S)
            answer.raise_for_status()
            found = answer.json()["data"]["result"]
            value = float(found[0]["value"][1]) if found else 0.0
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError, TypeError) as error:
            raise PrometheusError(f"Prometheus at {hide_password(self._url)}: {explain(error)}") from error
        if not math.isfinite(value):
            raise PrometheusError(f"Prometheus at {hide_password(self._url)}: {value} for {query}")
        return value
