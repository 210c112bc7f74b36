"""How many users there are at which time; each asks about once a second."""

import math

SHAPES = ("ramp", "steady", "spike", "overload")

_SPIKE = 4  # times the usual, in the middle fifth of the run
_OVERLOAD = 10  # times the usual, all the time


def users_at(shape: str, share: float, usual: int) -> int:
    """Return the number of users, at least one.

    Args:
        shape: One of `SHAPES`.
        share: How much of the run is over, from 0 to 1.
        usual: How many users are usual.
    """
    match shape:
        case "ramp":
            return max(1, math.ceil(usual * share))
        case "steady":
            return usual
        case "spike":
            return usual * _SPIKE if 0.4 <= share < 0.6 else usual
        case "overload":
            return usual * _OVERLOAD
    raise ValueError(f"{shape} is not one of {', '.join(SHAPES)}")
