import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.load.shapes import SHAPES, users_at

SHARES = st.floats(0, 1)


@given(shape=st.sampled_from(SHAPES), share=SHARES, usual=st.integers(1, 1000))
def test_there_is_always_a_user(shape: str, share: float, usual: int) -> None:
    assert users_at(shape, share, usual) >= 1


def test_a_ramp_goes_from_one_user_to_the_usual_number() -> None:
    assert [users_at("ramp", share / 4, 20) for share in range(5)] == [1, 5, 10, 15, 20]


@given(share=SHARES)
def test_steady_stays(share: float) -> None:
    assert users_at("steady", share, 20) == 20


def test_a_spike_comes_in_the_middle_and_goes() -> None:
    assert [users_at("spike", share / 10, 20) for share in (0, 3, 4, 5, 6, 9)] == [20, 20, 80, 80, 20, 20]


@given(share=SHARES)
def test_overload_is_many_times_the_usual_all_the_time(share: float) -> None:
    assert users_at("overload", share, 20) == 200


def test_an_unknown_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="wave is not one of ramp, steady, spike, overload"):
        users_at("wave", 0, 20)
