"""Every runbook that cannot be used is told of in lines with places, quickly, and without a traceback."""

import re
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.errors import RunbookError
from console.runbook.language.file import parse_runbook
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


SIZE = 65_536
# 64 KiB of what a parser could be slow at.
SLOW_SHAPES = {
    "plain words": "a " * (SIZE // 2),
    "lines": "a\n" * (SIZE // 2),
    "brackets": "[" * SIZE,
    "brackets in turn": "[]" * (SIZE // 2),
    "commas": "[" + "," * SIZE,
    "colons": "a:" * (SIZE // 2),
    "keys on one line": "{" + "a: b, " * (SIZE // 6),
    "questions": "? " * (SIZE // 2),
    "quotes": '"' + "\\x41" * (SIZE // 4) + '"',
    "anchors": "&a " * (SIZE // 3),
    "tags": "!a " * (SIZE // 3),
    "comments": "#\n" * (SIZE // 2),
    "dashes": "- " * (SIZE // 2),
    "dashes in lines": "-\n" * (SIZE // 2),
    "documents": "---\n" * (SIZE // 4),
    "block text": "a: |\n" + " b\n" * (SIZE // 3),
    "percent": "%" * SIZE,
    "an indented comb": "\n".join(" " * depth + "a:" for depth in range(300)),
    "placeholders": "a: '" + "${vars.x}" * (SIZE // 9) + "'",
}


@pytest.mark.parametrize("name", SLOW_SHAPES)
def test_time_is_bounded_whatever_the_file(name: str) -> None:
    began_s = time.monotonic()
    assert problems(SLOW_SHAPES[name].encode()[:SIZE])
    assert time.monotonic() - began_s < LONGEST_S


# Being watched makes it many times slower, so only those that make most of it.
@pytest.mark.parametrize("name", ["lines", "block text", "placeholders"])
def test_memory_is_bounded_whatever_the_file(name: str) -> None:
    tracemalloc.start()
    try:
        assert problems(SLOW_SHAPES[name].encode()[:SIZE])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST_BYTES
