"""Confidence is compared with what became of it."""

import numpy as np
import pytest

from bento.package import Certainty
from training.evaluate_calibration import calibration, keeping_of


def test_honest_confidence_has_no_error() -> None:
    confidence = np.repeat(np.array([0.5, 0.75, 1.0], np.float32), 100)
    right = np.concatenate([np.arange(100) % 2 < 1, np.arange(100) % 4 < 3, np.ones(100, bool)])
    found = calibration(confidence, right)
    assert found.ece == pytest.approx(0, abs=1e-6)
    assert [(one.rows, one.right) for one in found.bins] == [(100, 0.5), (100, 0.75), (100, 1.0)]


def test_the_error_is_how_far_confidence_is_off_on_average() -> None:
    confidence = np.array([0.9, 0.9, 0.6, 0.6], np.float32)
    found = calibration(confidence, np.array([True, False, True, True]))
    assert found.ece == pytest.approx((0.4 + 0.4) / 2, abs=1e-6)


def test_a_promise_is_checked_on_what_is_certain_alone() -> None:
    right = np.array([True, True, False, False])
    found = keeping_of(Certainty(threshold=0.8), [True, True, True, False], right)
    assert (found.rows, found.share) == (3, 0.75)
    assert found.right == pytest.approx(2 / 3)


def test_without_anything_certain_there_is_nothing_to_check() -> None:
    found = keeping_of(Certainty(), [False, False], np.array([True, False]))
    assert (found.rows, found.share, found.right, found.threshold) == (0, 0.0, None, None)
