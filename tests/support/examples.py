"""Which examples property tests try: always the same ones, or so many at random where somebody asks for them."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Neither a slow machine nor the data of a fixture makes an example wrong.
_SHARED = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], print_blob=True
)


def load_profile(count: int | None) -> None:
    """Choose the examples of all property tests whose modules are imported from now on.

    Args:
        count: how many to draw at random for each test; None for the same ones in every run, as many as a test says.
    """
    settings.register_profile("fixed", _SHARED, derandomize=True, database=None)
    settings.register_profile("random", _SHARED, derandomize=False, max_examples=count or 100)
    settings.load_profile("random" if count else "fixed")


def examples(count: int) -> settings:
    """Return the settings of a property test that tries `count` examples, or as many as were asked for."""
    chosen = settings()
    return settings(max_examples=count) if chosen.derandomize else chosen
