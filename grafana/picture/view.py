"""What the charts of a page share."""

from collections.abc import Sequence
from typing import NamedTuple

from grafana.asked import Asked
from grafana.picture.source import Series

Answers = Sequence[tuple[Asked, list[Series]]]


class Mark(NamedTuple):
    """Something that happened: when, what, and its colour."""

    time: float
    says: str
    colour: str


class View(NamedTuple):
    """The time that is shown, in seconds since 1970, and what happened meanwhile."""

    start: float
    end: float
    marks: Sequence[Mark]
