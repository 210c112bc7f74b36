"""Durations as Prometheus writes them, and what shortens all of them in a rule."""

import re

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"(\d+)(ms|s|m|h|d)")
_IN_PROMQL = re.compile(r"(\[|\boffset )(\d+(?:ms|s|m|h|d))\b")


def seconds(duration: str) -> float:
    """Return how long `5m` is.

    Raises:
        ValueError: It is no single number with a unit.
    """
    found = _DURATION.fullmatch(duration)
    if found is None:
        raise ValueError(f"{duration!r} is not a duration such as 5m")
    return int(found[1]) * _SECONDS[found[2]]


def shorten(duration: str, scale: int) -> str:
    """Divide a duration; `5m` by 60 is `5s`."""
    if scale == 1:
        return duration
    return f"{round(seconds(duration) * 1000 / scale)}ms"


def shorten_all(expr: str, scale: int) -> str:
    """Divide every window and offset of a PromQL expression."""
    return _IN_PROMQL.sub(lambda found: found[1] + shorten(found[2], scale), expr)
