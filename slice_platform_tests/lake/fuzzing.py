"""How much fuzzing a run does: little and always the same by default, much and always new where FUZZ_FACTOR is set."""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

FACTOR = int(os.environ.get("FUZZ_FACTOR", "1"))  # a nightly run takes 50


def fuzz(examples: int) -> settings:
    """The profile of one test, which runs `examples` times the factor."""
    return settings(
        max_examples=examples * FACTOR,
        deadline=None,
        derandomize=FACTOR == 1,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )


_places = st.integers(0, 1 << 20)
_edits = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), _places, st.integers(0, 7)),
        st.tuples(st.just("set"), _places, st.sampled_from([0, 1, 10, 13, 34, 44, 92, 123, 127, 128, 255])),
        st.tuples(st.just("cut"), _places, st.integers(1, 9)),
        st.tuples(st.just("insert"), _places, st.integers(0, 255)),
        st.tuples(st.just("truncate"), _places, st.just(0)),
    ),
    min_size=1,
    max_size=4,
)


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """The bytes after a few flips, insertions and cuts."""
    return _edits.map(lambda edits: _edited(content, edits))


def _edited(content: bytes, edits: list[tuple[str, int, int]]) -> bytes:
    now = bytearray(content)
    for what, place, value in edits:
        at = place % max(len(now), 1)
        match what:
            case "flip" if now:
                now[at] ^= 1 << value
            case "set" if now:
                now[at] = value
            case "cut":
                del now[at : at + value]
            case "insert":
                now.insert(at, value)
            case "truncate":
                del now[at:]
    return bytes(now)
