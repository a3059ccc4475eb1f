"""How long to pause between two looks. Pure."""

CLOSE_S = 0.5
"""From the beginning of one look to that of the next while tasks are ending."""
APART_S = 0.25
"""The least from the end of one look to the beginning of the next, whatever hurries it."""
SLOWNESS = 4.0
"""A pause is at least so many times as long as the look took: a slow engine is not asked without end."""
FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 10.0


def pause_s(poll_s: float, took_s: float, *, is_close: bool) -> float:
    """Return the pause after a look that took `took_s`; `is_close` while tasks are ending."""
    if is_close:
        return max(CLOSE_S - took_s, APART_S, took_s - 1)
    return max(poll_s, SLOWNESS * took_s)


def retry_s(failures: int, took_s: float) -> float:
    """Return the pause after so many looks in a row that showed nothing, at least 1."""
    return max(min(FIRST_RETRY_S * 2.0 ** min(failures - 1, 10), LONGEST_RETRY_S), took_s)


def hurried_s(took_s: float, *, is_urgent: bool) -> float:
    """Return how long after the end of a look the next may begin when something was told.

    A removal is urgent: what leaks by it shows only for a few seconds. Anything else waits a little, so that many
    changes in a row make few looks.
    """
    return APART_S if is_urgent else max(2 * APART_S, SLOWNESS * took_s)
