"""Parsing what logrus writes, and refusing what it cannot have written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.journal.parsing import claimed_level, parse_line
from tests.journal.journals import NEW, OLD
from tests.journal.lines import TIME, go_quote, value

texts = st.text(st.characters(exclude_categories=["Cs"]))
keys = st.from_regex(r"[a-z][a-z.()_]{0,8}", fullmatch=True).filter(
    lambda each: each not in {"time", "level", "msg", "error"}
)


@given(texts, texts, st.dictionaries(keys, texts, max_size=4))
def test_what_logrus_writes_is_read_back(message: str, error: str, fields: dict[str, str]) -> None:
    pairs = sorted({**fields, "error": error}.items())
    head = f"{TIME} level=error" + (f" msg={value(message)}" if message else "")
    line = parse_line(" ".join([head, *(f"{key}={value(each)}" for key, each in pairs)]))
    assert line.is_well_formed
    assert (line.level, line.message, line.error, dict(line.fields)) == ("error", message, error, fields)


@given(texts, texts, st.dictionaries(keys, texts, max_size=4))
def test_what_the_json_format_writes_is_read_back(message: str, error: str, fields: dict[str, str]) -> None:
    whole = {**fields, "time": "t", "level": "error", "msg": message, "error": error}
    line = parse_line(json.dumps(whole))
    assert (line.level, line.message, line.error, dict(line.fields)) == ("error", message, error, fields)


@given(st.text())
def test_whatever_it_is_given_it_answers(text: str) -> None:
    line = parse_line(text)
    assert line.is_well_formed or (line.message == text and not line.level)


@given(texts, st.integers(min_value=0, max_value=200))
def test_no_part_of_a_quoted_text_reads_as_a_line(inner: str, cut: int) -> None:
    whole = f"{TIME} level=error msg={go_quote(f'{TIME} level=error msg={go_quote(inner)}')}"
    assert not parse_line(whole[1 + cut :]).is_well_formed


@pytest.mark.parametrize("path", [OLD, NEW], ids=["20.10.24", "28.5.2"])
def test_every_recorded_line_of_dockerd_is_well_formed(path: object) -> None:
    lines = [
        each for each in (OLD if path == OLD else NEW).read_text().splitlines() if each.startswith("time=")
    ]
    assert len(lines) > 150
    assert [each for each in lines if not parse_line(each).is_well_formed] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "panic: runtime error",
        f'{TIME} level=error msg="half',
        f'{TIME} level=error msg="a" error="b',
        f'{TIME} level=error msg="a" msg="b"',
        f'{TIME} level=error msg="a" error="b" error="c"',
        f'{TIME} level=error msg="a" level=info',
        f'{TIME} level=loud msg="a"',
        f'{TIME} level=error msg="a"error="b"',
        f'{TIME} level=error msg="a"  error="b"',
        f'{TIME} level=error msg="a" junk',
        f' {TIME} level=error msg="a"',
        f'{TIME} level=error msg="a"\nerror="b"',
        "{",
        "[" * 100_000,
        "{" * 100_000,
        '{"a":' * 100_000,
        '{"time":"t","level":"error","msg":"a","msg":"b"}',
        '{"level":"error","msg":"a"}',
        '{"time":"t","level":["error"],"msg":"a"}',
        "[1]",
        "null",
    ],
)
def test_what_logrus_does_not_write_is_a_bare_message(text: str) -> None:
    line = parse_line(text)
    assert (line.level, line.message, line.is_well_formed) == ("", text, False)


def test_bytes_that_are_no_text_stay_visible() -> None:
    assert parse_line(f'{TIME} level=info msg="\\xff \\x1b \\u202e \\U0001f600 \\q"').message == (
        "\ufffd \x1b \u202e \U0001f600 \\q"
    )


def test_a_fragment_still_tells_its_level() -> None:
    assert claimed_level(f'{TIME} level=error msg="half') == "error"
    assert claimed_level("error") == ""


def test_a_long_line_takes_no_longer_than_its_length() -> None:
    body = '\\"' * 30_000
    line = parse_line(f'{TIME} level=error msg="{body}" error="{body}')
    assert not line.is_well_formed
