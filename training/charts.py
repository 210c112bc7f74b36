"""Charts as SVG that stands in a page of its own: no script, no font, nothing that is fetched."""

import math
from collections.abc import Mapping, Sequence
from html import escape

_WIDTH = 720
_ROW = 26
_LEFT, _RIGHT = 270, 60  # room for names and for numbers
_MAX_TICKS = 6
_MAX_RADIUS = 12


def intervals_chart(rows: Mapping[str, tuple[float, float, float]], *, best: str = "") -> str:
    """Draw values with their intervals, one below the other, on one scale.

    Args:
        rows: Name to value and the ends of its interval, all from 0 to 1.
        best: The name that is shown as such.
    """
    low = max(0.0, min(lower for _, lower, _ in rows.values()) - 0.02)
    high = min(1.0, max(upper for _, _, upper in rows.values()) + 0.02)
    span = max(high - low, 1e-9)

    def x(value: float) -> float:
        return _LEFT + (value - low) / span * (_WIDTH - _LEFT - _RIGHT)

    drawn = []
    for number, (name, (value, lower, upper)) in enumerate(rows.items()):
        y = 20 + number * _ROW
        kind = "best" if name == best else "other"
        drawn.append(
            f'<text x="{_LEFT - 12}" y="{y + 4}" class="end">{escape(name)}</text>'
            f'<line x1="{x(lower):.1f}" x2="{x(upper):.1f}" y1="{y}" y2="{y}" class="bar {kind}"/>'
            f'<circle cx="{x(value):.1f}" cy="{y}" r="5" class="dot {kind}"/>'
            f'<text x="{_WIDTH - _RIGHT + 12}" y="{y + 4}">{value:.3f}</text>'
        )
    height = 20 + len(rows) * _ROW
    axis = "".join(
        f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="6" y2="{height - 10}" class="grid"/>'
        f'<text x="{x(tick):.1f}" y="{height + 8}" class="middle small">{tick:.2f}</text>'
        for tick in _round_numbers(low, high)
    )
    return _svg(_WIDTH, height + 14, axis + "".join(drawn), "values with their 95% intervals")


def reliability_chart(bins: Sequence[tuple[float, float, int]], threshold: float | None) -> str:
    """Draw how often predictions are right against how sure the model was; honest ones lie on the diagonal.

    Args:
        bins: Mean confidence, share right and number of rows.
        threshold: From where on predictions are certain.
    """
    size, margin, top = 260, 40, _MAX_RADIUS + 1

    def at(x: float, y: float) -> tuple[float, float]:
        return margin + x * size, top + (1 - y) * size

    most = max(rows for _, _, rows in bins)
    (x0, y0), (x1, y1) = at(0, 0), at(1, 1)
    parts = [
        f'<rect x="{x0}" y="{y1}" width="{size}" height="{size}" class="frame"/>',
        f'<line x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}" class="grid"/>',
    ]
    if threshold is not None:
        x, _ = at(threshold, 0)
        parts.append(
            f'<rect x="{x:.1f}" y="{y1}" width="{x1 - x:.1f}" height="{size}" class="certain"/>'
            f'<text x="{x - 5:.1f}" y="{y0 - 8}" class="end small">certain from {threshold:g}</text>'
        )
    for confidence, right, rows in bins:
        x, y = at(confidence, right)
        radius = 3 + (_MAX_RADIUS - 3) * (rows / most) ** 0.5
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" class="bubble"><title>{rows} rows: '
            f"confidence {confidence:.2f}, right {right:.2f}</title></circle>"
        )
    for tick in (0.0, 0.5, 1.0):
        x, y = at(tick, tick)
        parts.append(f'<text x="{x}" y="{y0 + 16}" class="middle small">{tick:g}</text>')
        parts.append(f'<text x="{x0 - 6}" y="{y + 4}" class="end small">{tick:g}</text>')
    parts.append(f'<text x="{x0 + size / 2}" y="{y0 + 32}" class="middle small">confidence</text>')
    parts.append(
        f'<text transform="rotate(-90 12 {y1 + size / 2})" x="12" y="{y1 + size / 2}" '
        f'class="middle small">share right</text>'
    )
    return _svg(margin + size + 20, top + size + 40, "".join(parts), "share right by confidence")


def confusion_chart(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """Draw a confusion matrix: a row for each label, a column for each sentiment, shaded by row."""
    cell, left, top = 74, 78, 34
    parts = [
        f'<text x="{left}" y="12" class="small">sentiment (the model)</text>'
        f'<text x="{left - 8}" y="28" class="end small">label</text>'
    ]
    for number, label in enumerate(labels):
        centre = number * cell + cell / 2
        parts.append(f'<text x="{left + centre}" y="28" class="middle small">{escape(label)}</text>')
        parts.append(f'<text x="{left - 8}" y="{top + centre + 4}" class="end small">{escape(label)}</text>')
    for row, line in enumerate(counts):
        for column, count in enumerate(line):
            share = count / max(1, sum(line))
            x, y = left + column * cell, top + row * cell
            parts.append(
                f'<rect x="{x}" y="{y}" width="{cell - 2}" height="{cell - 2}" class="cell" '
                f'fill-opacity="{0.06 + 0.9 * share:.2f}"/>'
                f'<text x="{x + cell / 2}" y="{y + cell / 2 - 1}" '
                f'class="middle {"light" if share > 0.5 else ""}">{count}</text>'
                f'<text x="{x + cell / 2}" y="{y + cell / 2 + 15}" '
                f'class="middle small {"light" if share > 0.5 else ""}">{share:.0%}</text>'
            )
    width = left + len(labels) * cell + 10
    return _svg(width, top + len(labels) * cell + 4, "".join(parts), "confusion matrix")


def curve_chart(points: Sequence[tuple[float, float]]) -> str:
    """Draw macro-F1 on validation against how much was learnt from, in rows or in epochs."""
    width, height, margin = 300, 180, 44
    steps, values = [step for step, _ in points], [value for _, value in points]
    low, high = min(values) - 0.02, max(values) + 0.02
    first, last = min(steps), max(steps)

    def at(step: float, value: float) -> tuple[float, float]:
        across = (step - first) / max(last - first, 1e-9)
        return margin + 10 + across * (width - 20), 10 + (high - value) / (high - low) * height

    places = [at(*point) for point in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" class="dot best"/>'
        f'<text x="{x:.1f}" y="{height + 28}" class="middle small">{_short(step)}</text>'
        for (x, y), step in zip(places, steps, strict=True)
    )
    ticks = "".join(
        f'<text x="{margin - 6}" y="{at(first, tick)[1] + 4:.1f}" class="end small">{tick:.2f}</text>'
        for tick in (low + 0.02, high - 0.02)
    )
    frame = f'<rect x="{margin}" y="10" width="{width}" height="{height}" class="frame"/>'
    return _svg(
        margin + width + 20,
        height + 36,
        f'{frame}{ticks}<polyline points="{line}" class="curve"/>{dots}',
        "macro-F1 on validation",
    )


def _round_numbers(low: float, high: float) -> list[float]:
    """Return a few round numbers between two others, both from 0 to 1."""
    step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2) if (high - low) / step <= _MAX_TICKS)
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _short(step: float) -> str:
    return f"{step:,.0f}" if step == int(step) else f"{step:.1f}"


def _svg(width: float, height: float, content: str, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" role="img" '
        f'aria-label="{escape(title)}">{content}</svg>'
    )
