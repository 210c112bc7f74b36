"""Durations as people and Prometheus write them: 90s, 10m, 1h."""

import re

import typer

_DURATION = re.compile(r"(?P<number>\d+)(?P<unit>[smh]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


def parse_duration(text: str) -> int:
    """Return the seconds of `90s`, `10m`, `1h` or `90`.

    Raises:
        typer.BadParameter: It is none of these.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is no duration; write it as 90s, 10m or 1h")
    return int(match["number"]) * _SECONDS[match["unit"]]


def in_words(seconds: float) -> str:
    """Return a duration as a person reads it."""
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"
