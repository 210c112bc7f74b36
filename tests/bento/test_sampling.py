"""Sampling: what is rare is always taken, what is frequent a few times a second, and all is accounted for."""

from hypothesis import given
from hypothesis import strategies as st

from bento.sampling import Sampler

KINDS = st.sampled_from(["/predict 200", "/predict 429"])


def test_the_first_of_a_second_are_taken_and_the_next_says_what_was_let_pass() -> None:
    sampler: Sampler[str] = Sampler(2)
    assert [sampler.take("200", 0.1 * tenth) for tenth in range(5)] == [1, 1, 0, 0, 0]
    assert sampler.take("500", 0.5) == 1
    assert [sampler.take("200", 1.0), sampler.take("200", 1.1)] == [4, 1]


@given(st.integers(1, 5), st.lists(st.tuples(KINDS, st.floats(0, 3)), max_size=100))
def test_everything_is_accounted_for_within_the_rate(per_s: int, things: list[tuple[str, float]]) -> None:
    sampler: Sampler[str] = Sampler(per_s)
    things.sort(key=lambda thing: thing[1])
    taken = [(kind, int(now), sampler.take(kind, now)) for kind, now in things]
    rest = sampler.rest(4)
    assert sampler.rest(4) == []
    for kind in {kind for kind, _ in things}:
        counts = [count for other, _, count in taken if other == kind]
        assert sum(counts) + dict(rest).get(kind, 0) == len(counts)
        for second in range(4):
            lines = [1 for other, when, count in taken if (other, when) == (kind, second) and count]
            assert len(lines) <= per_s
