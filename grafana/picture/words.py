"""Text of which some is bold, as the text panels have it."""

import re
from functools import cache
from typing import Literal

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from grafana.picture.box import Box

Style = Literal["normal", "italic"]

_MARKED = re.compile(r"(\*\*.+?\*\*|\*.+?\*|`.+?`)")
_SIZE, _LINE, _TOP, _LEFT, _INDENT = 10.5, 0.23, 0.46, 0.12, 0.2
_POINTS_PER_INCH = 72


@cache
def width(content: str, size: float, weight: str = "normal", style: Style = "normal") -> float:
    """Return how many inches a text takes."""
    properties = FontProperties(weight=weight, style=style)
    # The path ends where the last letter does, so spaces at its ends are measured between letters.
    ends = TextPath((0, 0), f"|{content}|", size=size, prop=properties).get_extents().width
    bars = TextPath((0, 0), "||", size=size, prop=properties).get_extents().width
    return float(ends - bars) / _POINTS_PER_INCH


def markdown(box: Box, content: str) -> None:
    """Write a list of paragraphs in markdown, broken into lines."""
    y = _TOP
    for paragraph in content.strip().splitlines():
        x = _LEFT
        for part in filter(None, _MARKED.split(paragraph)):
            weight = "bold" if part.startswith("**") else "normal"
            style: Style = "italic" if part.startswith("*") and weight == "normal" else "normal"
            run = ""
            for word in re.findall(r"\S+\s*|\s+", part.strip("*`")):
                if x + width(run + word.rstrip(), _SIZE, weight, style) > box.width - 0.1:
                    _write(box, x, y, run, weight, style)
                    run, x, y = "", _LEFT + _INDENT, y + _LINE
                run += word
            _write(box, x, y, run, weight, style)
            x += width(run, _SIZE, weight, style)
        y += _LINE


def _write(box: Box, x: float, y: float, run: str, weight: str, style: Style) -> None:
    """Write without the spaces at the ends, which SVG leaves out."""
    before = run[: len(run) - len(run.lstrip())]
    box.text(x + width(before, _SIZE, weight, style), y, run.strip(), size=_SIZE, weight=weight, style=style)
