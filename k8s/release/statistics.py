"""Exact one-sided tests, so that few requests are judged as soundly as many."""

import math
from collections.abc import Callable

_NEGLIGIBLE = 1e-12


def binomial_tail(bad: int, total: int, ratio: float) -> float:
    """Return how likely `bad` or more of `total` are where each is bad with probability `ratio`."""
    if bad <= 0:
        return 1.0

    def log_term(count: int) -> float:
        return _log_choose(total, count) + count * math.log(ratio) + (total - count) * math.log1p(-ratio)

    return _tail(log_term, bad, total, mode=int(total * ratio))


def fisher_tail(bad: int, total: int, bad_before: int, total_before: int) -> float:
    """Return how likely `bad` or more of `total` are, were there no difference (Fisher's exact test)."""
    both, everything = bad + bad_before, total + total_before
    if bad <= 0 or everything == 0:
        return 1.0
    whole = _log_choose(everything, both)

    def log_term(count: int) -> float:
        return _log_choose(total, count) + _log_choose(total_before, both - count) - whole

    lowest = max(bad, both - total_before)
    return _tail(log_term, lowest, min(both, total), mode=both * total // everything)


def _tail(log_term: Callable[[int], float], first: int, last: int, *, mode: int) -> float:
    total = 0.0
    for count in range(first, last + 1):
        term = math.exp(log_term(count))
        total += term
        if count > mode and term < _NEGLIGIBLE * total:
            break
    return min(1.0, total)


def _log_choose(whole: int, part: int) -> float:
    return math.lgamma(whole + 1) - math.lgamma(part + 1) - math.lgamma(whole - part + 1)
