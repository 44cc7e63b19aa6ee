"""Which examples property tests try: always the same ones, or so many at random where somebody asks for them.

A quick run tries a third of the same ones.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Neither a slow machine nor the data of a fixture makes an example wrong.
_SHARED = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], print_blob=True
)


_QUICK_SHARE = 3
#: Where a test says nothing.
_MOST = 100
_shares = [1]


def load_profile(count: int | None, is_quick: bool = False) -> None:
    """Choose the examples of all property tests whose modules are imported from now on.

    Args:
        count: how many to draw at random for each test; None for the same ones in every run, as many as a test says.
        is_quick: whether a third of these is enough.
    """
    _shares[0] = _QUICK_SHARE if is_quick and count is None else 1
    settings.register_profile("fixed", _SHARED, derandomize=True, database=None, max_examples=_some(_MOST))
    settings.register_profile("random", _SHARED, derandomize=False, max_examples=count or _MOST)
    settings.load_profile("random" if count else "fixed")


def examples(count: int) -> settings:
    """Return the settings of a property test that tries `count` examples, or as many as were asked for."""
    chosen = settings()
    return settings(max_examples=_some(count)) if chosen.derandomize else chosen


def _some(count: int) -> int:
    """Return how many of `count` examples are tried."""
    return -(-count // _shares[0])
