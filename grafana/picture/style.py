"""Colours and numbers as Grafana shows them."""

from collections.abc import Mapping
from typing import Any
from zlib import crc32

INK, FAINT, EDGE, PANEL, PAGE = "#24292e", "#6e7780", "#dadde0", "#ffffff", "#f4f5f5"
_NAMED = {
    "green": "#56A64B",
    "orange": "#FF780A",
    "dark-orange": "#C15C17",
    "red": "#E02F44",
    "dark-red": "#AD0317",
    "yellow": "#E0B400",
    "blue": "#3274D9",
    "light-blue": "#8AB8FF",
    "dark-blue": "#1F4E9C",
    "purple": "#8F3BB8",
    "super-light-purple": "#CA95E5",
    "text": INK,
}
_HUES = ("#3274D9", "#FF780A", "#8F3BB8", "#56A64B", "#E0B400", "#0B8B8B", "#D1478C", "#7A5230")
_LARGE = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_RATES = {"reqps": " req/s", "ops": " /s"}


def colour(name: str) -> str:
    """Return the hexadecimal form of one of Grafana's colours."""
    return _NAMED.get(name, name)


def of_series(panel: Mapping[str, Any], names: list[str]) -> dict[str, str]:
    """Return each series' colour: the panel's own, or one that follows from the name."""
    fixed = {
        override["matcher"]["options"]: each["value"]["fixedColor"]
        for override in panel["fieldConfig"]["overrides"]
        for each in override["properties"]
        if each["id"] == "color"
    }
    found: dict[str, str] = {}
    for name in names:
        start = crc32(name.encode()) % len(_HUES)
        turns = (_HUES[(start + turn) % len(_HUES)] for turn in range(len(_HUES)))
        free = next((hue for hue in turns if hue not in found.values()), _HUES[start])
        found[name] = colour(fixed[name]) if name in fixed else free
    return found


def of_value(panel: Mapping[str, Any], value: float) -> str:
    """Return the colour that the thresholds give to a value."""
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    return colour([step["color"] for step in steps if step["value"] is None or value >= step["value"]][-1])


def number(value: float, unit: str, decimals: float | None = None) -> str:
    """Write a value with its unit."""
    if unit == "percentunit":
        return f"{_plain(value * 100, decimals)}%"
    if unit == "s":
        return f"{_plain(value * 1e3, decimals)} ms" if abs(value) < 1 else f"{_plain(value, decimals)} s"
    for size, letter in _LARGE:
        if abs(value) >= size:
            return f"{_plain(value / size, decimals)}{letter}{_RATES.get(unit, '')}"
    return _plain(value, decimals) + _RATES.get(unit, "")


def _plain(value: float, decimals: float | None) -> str:
    if decimals is not None:
        return f"{value:.{int(decimals)}f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
