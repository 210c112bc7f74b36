"""Thresholds on keys and quotas, before any SQL."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bento.text import row_key
from training.errors import InputError
from training.splitting import bound, check_counts, quotas

SHARE = st.floats(0, 1)


@given(SHARE, SHARE)
def test_a_larger_share_has_a_higher_bound(one: float, other: float) -> None:
    assert (bound(one) <= bound(other)) == (one <= other) or bound(one) == bound(other)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_bound_takes_its_share_of_keys(share: float) -> None:
    keys = [row_key(f"text {number}") for number in range(20_000)]
    assert sum(key < bound(share) for key in keys) / 20_000 == pytest.approx(share, abs=0.01)
    assert sum(key[16:] < bound(share) for key in keys) / 20_000 == pytest.approx(share, abs=0.01)


@given(st.text(alphabet="0123456789abcdef", min_size=16, max_size=32))
def test_all_and_nothing(key: str) -> None:
    assert key < bound(1.0)
    assert not key < bound(0.0)


def test_quotas_leave_the_rarest_whole() -> None:
    found = quotas({"negative": 100, "positive": 1000}, 2.0)
    assert found == {"negative": bound(1.0), "neutral": bound(1.0), "positive": bound(0.2)}
    assert set(quotas({"negative": 1, "positive": 9}, None).values()) == {bound(1.0)}


def test_a_part_without_a_label_is_refused() -> None:
    with pytest.raises(InputError, match="of 40 positive rows 0 fall into test, at least 1 must"):
        check_counts({"train": {"negative": 40, "positive": 40}, "test": {"negative": 5}}, "reviews")
