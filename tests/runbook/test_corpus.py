"""Every runbook that cannot be used is told of in lines with places, quickly, and without a traceback."""

import re
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.errors import RunbookError
from console.runbook.file import parse_runbook
from tests.runbook.corpus import HOSTILE, MALFORMED, Bad
from tests.runbook.corpus_meanings import MEANINGS
from tests.runbook.corpus_shapes import SHAPES
from tests.runbook.test_file import WHOLE

BAD = (*MALFORMED, *HOSTILE, *SHAPES, *MEANINGS)
LONGEST_S = 20.0
"""Far more than any of them takes on a slow machine, far less than what grows without bounds."""
MOST_BYTES = 32 * 1024 * 1024


def problems(data: bytes) -> tuple[str, ...]:
    with pytest.raises(RunbookError) as raised:
        parse_runbook(data, "test.yaml")
    return raised.value.problems


@pytest.mark.parametrize("case", BAD, ids=lambda each: each.name)
def test_everything_that_is_wrong_is_told_with_its_place(case: Bad) -> None:
    said = problems(case.data)
    assert all(each.isprintable() and each.startswith("test.yaml:") for each in said)
    shown = [each.removeprefix("test.yaml:") for each in said]
    assert [each[: len(start)] for each, start in zip(shown, case.said, strict=False)] == list(case.said), (
        shown
    )
    assert len(shown) == len(case.said), shown


def test_there_are_enough_of_them_and_each_has_its_name() -> None:
    assert len(BAD) >= 60
    assert len({each.name for each in BAD}) == len(BAD)


FRAGMENTS = (
    "", " ", "\n", "\t", ":", "- ", "{", "}", "[", "]", "${", "${vars.network}", "${steps.look.outputs.checks}", "null",
    "5", "-1", "1e999", "true", "''", "&a ", "*a", "!!int ", "? ", "|\n", "#", "---\n", "verify", "uses: exec", "\u202e",
    "\x00", "'", '"', "none", "{none: x}", "units.ok", "[[[[[[[[[[[[[[[[[[", "<<: ", "0o9", "9" * 30,
)  # fmt: skip


@given(
    st.lists(
        st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 12), st.sampled_from(FRAGMENTS)),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_is_done_to_a_good_runbook_it_is_read_or_told_what_is_wrong(
    edits: list[tuple[int, int, str]],
) -> None:
    text = WHOLE
    for start, length, fragment in edits:
        text = text[:start] + fragment + text[start + length :]
    try:
        parse_runbook(text.encode(), "test.yaml")
    except RunbookError as error:
        told = error.problems
    else:
        return
    assert told
    assert all(re.fullmatch(r"test\.yaml:[0-9]+:[0-9]+: .+", each) and each.isprintable() for each in told)


def test_more_than_fits_is_not_even_looked_at() -> None:
    assert problems(b"#" * 70_000) == ("test.yaml:1:1: the runbook is larger than 64 KiB",)


def test_time_and_memory_are_bounded_whatever_the_file() -> None:
    # 64 KiB of what a parser could be slow at.
    size = 65_536
    shapes = {
        "plain words": "a " * (size // 2),
        "lines": "a\n" * (size // 2),
        "brackets": "[" * size,
        "brackets in turn": "[]" * (size // 2),
        "commas": "[" + "," * size,
        "colons": "a:" * (size // 2),
        "keys on one line": "{" + "a: b, " * (size // 6),
        "questions": "? " * (size // 2),
        "quotes": '"' + "\\x41" * (size // 4) + '"',
        "anchors": "&a " * (size // 3),
        "tags": "!a " * (size // 3),
        "comments": "#\n" * (size // 2),
        "dashes": "- " * (size // 2),
        "dashes in lines": "-\n" * (size // 2),
        "documents": "---\n" * (size // 4),
        "block text": "a: |\n" + " b\n" * (size // 3),
        "percent": "%" * size,
        "an indented comb": "\n".join(" " * depth + "a:" for depth in range(300)),
        "placeholders": "a: '" + "${vars.x}" * (size // 9) + "'",
    }
    for name, text in shapes.items():
        began_s = time.monotonic()
        assert problems(text.encode()[:size]), name
        assert time.monotonic() - began_s < LONGEST_S, name
    # Being watched makes it many times slower, so only those that make most of it.
    for name in ("lines", "block text", "placeholders"):
        tracemalloc.start()
        assert problems(shapes[name].encode()[:size]), name
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < MOST_BYTES, name
