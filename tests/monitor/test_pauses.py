"""How long the poller pauses between two snapshots."""

import pytest

from console.monitor.schedule import LONGEST_RETRY_S, pause_s, retry_s, urgent_pause_s


@pytest.mark.parametrize(
    ("took_s", "is_close", "expected"),
    [
        (0.1, False, 2.0),
        (0.5, False, 2.0),
        (3.0, False, 12.0),
        (0.1, True, 0.4),
        (0.4, True, 0.25),
        (3.0, True, 2.0),
    ],
)
def test_a_slow_engine_is_asked_less_often(took_s: float, is_close: bool, expected: float) -> None:  # noqa: FBT001
    assert pause_s(2.0, took_s, is_close=is_close) == pytest.approx(expected)


def test_while_tasks_are_ending_snapshots_begin_every_half_second() -> None:
    for took_s in (0.0, 0.1, 0.2):
        assert took_s + pause_s(2.0, took_s, is_close=True) == pytest.approx(0.5)


def test_failures_are_tried_again_soon_and_then_less_and_less_often() -> None:
    pauses = [retry_s(failures, 0.01) for failures in range(1, 9)]
    assert pauses[0] == 0.5
    assert pauses == sorted(pauses)
    assert pauses[-1] == retry_s(10_000, 0.01) == LONGEST_RETRY_S
    # An engine that hangs is not asked while it still hangs from the last time.
    assert retry_s(1, 30.0) == 30.0


def test_a_removal_is_looked_at_at_once_and_the_rest_in_company() -> None:
    assert urgent_pause_s(0.01, is_urgent=True) < urgent_pause_s(0.01, is_urgent=False)
    assert urgent_pause_s(1.0, is_urgent=True) == urgent_pause_s(0.01, is_urgent=True)
    assert urgent_pause_s(1.0, is_urgent=False) == 4.0
