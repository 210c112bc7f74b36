"""A picture of what a model takes for what, as SVG: drawn without a library that takes a second to import."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

from training.records import Evaluation
from training.whole import new_file

_CELL = 90
_LEFT, _TOP = 110, 80  # room for names
_WIDTH = _LEFT + 3 * _CELL + 40  # of one part


def draw_confusion(evaluations: dict[str, Evaluation], title: str, path: Path) -> None:
    """Write a picture of the confusion matrices, one per part, shaded by the share of each row."""
    parts = [
        f'<g transform="translate({place * _WIDTH} 30)">{"".join(_draw(part, evaluation))}</g>'
        for place, (part, evaluation) in enumerate(evaluations.items())
    ]
    width, height = len(parts) * _WIDTH, _TOP + 3 * _CELL + 70
    page = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="14" text-anchor="middle">'
        f'<rect width="{width}" height="{height}" fill="white"/>{_text(width / 2, 24, title)}'
        f"{''.join(parts)}</svg>\n"
    )
    with new_file(path) as file:
        file.write_text(page, encoding="utf-8")


def _draw(part: str, evaluation: Evaluation) -> Iterator[str]:
    names = list(evaluation.classes)
    size = len(names) * _CELL
    yield _text(_LEFT + size / 2, 24, f"{part}: macro-F1 {evaluation.macro_f1:.3f}")
    yield _text(_LEFT + size / 2, 48, "sentiment (the model) by label (the data)")
    for place, name in enumerate(names):
        yield _text(_LEFT + (place + 0.5) * _CELL, _TOP - 8, name)
        yield _text(_LEFT / 2, _TOP + (place + 0.5) * _CELL + 5, name)
    for row, counts in enumerate(evaluation.confusion):
        for column, count in enumerate(counts):
            share = count / sum(counts)
            x, y = _LEFT + column * _CELL, _TOP + row * _CELL
            yield (
                f'<rect x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" stroke="white" '
                f'fill="hsl(210 70% {round(97 - 60 * share)}%)"/>'
            )
            yield _text(x + _CELL / 2, y + _CELL / 2 + 5, str(count), "white" if share > 0.5 else "black")


def _text(x: float, y: float, words: str, colour: str = "black") -> str:
    return f'<text x="{x:g}" y="{y:g}" fill="{colour}">{escape(words)}</text>'
