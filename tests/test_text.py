import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.text import clean, clean_error, duration, ending, last_line, listed, plural


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("ghost_app", "ghost_app"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x7f\x80\x9b", "\\x7f\\x80\\x9b"),
        ("evil\u202egpj.exe", "evil\\u202egpj.exe"),
        ("zero\u200bwidth\u2066isolate\u2028line", "zero\\u200bwidth\\u2066isolate\\u2028line"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("lone\ud800", "lone\\ud800"),
        ("grüße 你好", "grüße 你好"),
        (b"bytes \xff\x1b", "bytes \ufffd\\x1b"),
        ("[/x] [bold]", "[/x] [bold]"),
    ],
)
def test_text_from_outside_shows_itself_and_nothing_else(raw: str | bytes, shown: str) -> None:
    assert clean(raw) == shown


@given(st.text() | st.binary(), st.integers(1, 300))
def test_clean_text_is_printable_bounded_and_clean_again(raw: str | bytes, limit: int) -> None:
    shown = clean(raw, limit)
    assert shown.isprintable()
    assert len(shown) <= limit
    assert clean(shown, limit) == shown


def test_long_text_is_cut_where_one_sees_it() -> None:
    assert clean("x" * 10_000, 20) == "x" * 19 + "…"
    assert clean("\x1b" * 10_000, 21) == "\\x1b" * 5 + "…"


def test_counts_and_lists_read_as_sentences() -> None:
    assert [plural(1, "task"), plural(2, "task"), plural(0, "address", "addresses")] == [
        "1 task",
        "2 tasks",
        "0 addresses",
    ]
    assert listed(["a", "b"]) == "a, b"
    assert listed(tuple("abcdef")) == "a, b, c, d and 2 more"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0 s"),
        (40.4, "40 s"),
        (99, "99 s"),
        (840, "14 min"),
        (7500, "2 h 5 min"),
        (7200, "2 h"),
        (864_000, "10 d"),
        (float("nan"), "an unknown time"),
    ],
)
def test_spans_are_said_in_their_largest_units(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ("short: and whole", "short: and whole"),
        ("a" * 120, "a" * 120),
        (f"{'outer: ' * 30}the cause", f"…{' outer:' * 15} the cause"),
        (f"{'x' * 300}: the cause", "… the cause"),
        (f"outer: {'x' * 300}", f"…{'x' * 119}"),
    ],
)
def test_the_end_of_an_error_is_kept_from_a_boundary_on(error: str, shown: str) -> None:
    assert ending(error) == shown


@given(st.text(), st.integers(2, 300))
def test_an_ending_is_bounded_and_an_end(error: str, limit: int) -> None:
    shown = ending(error, limit)
    assert len(shown) <= limit
    assert error.endswith(shown.removeprefix("…"))


@given(st.text(), st.integers(10, 300))
def test_an_error_that_is_too_long_is_cut_in_the_middle(error: str, limit: int) -> None:
    shown = clean_error(error, limit)
    assert shown.isprintable()
    assert len(shown) <= limit
    whole = clean(error, len(error) * 10 + 1)
    assert shown == whole if len(whole) <= limit else shown[-3:] == whole[-3:]


def test_the_cause_of_a_very_long_error_is_kept() -> None:
    assert clean_error("a" * 100_000 + ": the cause").endswith("a: the cause")
    assert clean_error("the beginning: " + "a" * 100_000).startswith("the beginning: ")


def test_the_last_line_of_a_log_is_cleaned_and_blank_ones_do_not_count() -> None:
    assert last_line("first\nit \x1b broke\n\n") == "it \\x1b broke"
    assert last_line(" \n") == ""
