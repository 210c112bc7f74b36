"""A rectangle of a page, measured in inches from its upper left corner."""

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from grafana.picture.style import EDGE, FAINT, INK, PANEL

_GAP = 0.04


@dataclass(frozen=True)
class Box:
    """`left` and `bottom` say where it is on the page, in inches."""

    figure: Figure
    left: float
    bottom: float
    width: float
    height: float

    def frame(self) -> None:
        """Fill it and draw its edge."""
        wide, high = self.figure.get_size_inches()
        self.figure.add_artist(
            Rectangle(
                ((self.left + _GAP) / wide, (self.bottom + _GAP) / high),
                (self.width - 2 * _GAP) / wide,
                (self.height - 2 * _GAP) / high,
                facecolor=PANEL,
                edgecolor=EDGE,
                linewidth=0.8,
                zorder=-1,
            )
        )

    def text(
        self,
        x: float,
        y: float,
        content: str,
        *,
        size: float,
        ink: str = INK,
        weight: str = "normal",
        align: str = "left",
        style: str = "normal",
    ) -> None:
        """Write, with the middle of the line at `y` inches below the upper edge."""
        wide, high = self.figure.get_size_inches()
        self.figure.text(
            (self.left + x) / wide,
            (self.bottom + self.height - y) / high,
            content,
            fontsize=size,
            color=ink,
            fontweight=weight,
            fontstyle=style,
            ha=align,
            va="center_baseline",
            parse_math=False,
        )

    def axes(self, *, left: float, right: float, top: float, bottom: float) -> Axes:
        """Return axes inside, the margins being in inches."""
        wide, high = self.figure.get_size_inches()
        axes = self.figure.add_axes(
            (
                (self.left + left) / wide,
                (self.bottom + bottom) / high,
                (self.width - left - right) / wide,
                (self.height - top - bottom) / high,
            )
        )
        axes.set_facecolor("none")
        axes.tick_params(labelsize=7, colors=FAINT, length=0, pad=3)
        for spine in axes.spines.values():
            spine.set_visible(False)
        return axes
