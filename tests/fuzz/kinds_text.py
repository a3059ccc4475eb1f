"""Texts that other programs and people write: journals and runbooks."""

import json
from functools import cache
from pathlib import Path

from hypothesis import strategies as st

from console.runbook.language.source import shipped_runbook
from tests.fuzz.engine import SWARMS, answers_of, plain, where
from tests.fuzz.mutations import TEXTS, Draw, broken, chosen, json_bytes, mutated
from tests.fuzz.program import Misbehaved, check, run
from tests.journal.journals import NEW, OLD, daemon, export_text, recorded_lines, suppressed
from tests.support.scripted import scripted

FIRST_US = 1_781_238_000_000_000
ABOUT_JOURNALS: tuple[tuple[str, ...], ...] = (
    ("journal", "--since", "60d"),
    ("journal", "--since", "60d", "--json"),
    ("journal", "--since", "60d", "--all"),
    ("journal", "--follow", "--json"),
    ("journal", "--follow"),
    ("glance", "--json"),
    ("glance", "--require", "journal"),
    ("why",),
)


@cache
def _export() -> bytes:
    lines = [*recorded_lines(OLD)[-40:], *recorded_lines(NEW)[-40:], suppressed(7), daemon(b"\xff\x00 bytes")]
    return export_text(lines, FIRST_US)


@cache
def _entries() -> tuple[dict[str, object], ...]:
    lines = [*recorded_lines(OLD)[-25:], *recorded_lines(NEW)[-25:], suppressed(7)]
    return tuple(
        {
            "__CURSOR": f"s=1;i={number}",
            "__REALTIME_TIMESTAMP": str(FIRST_US + number * 1000),
            "_BOOT_ID": "0" * 32,
            **{key: str(value) for key, value in fields.items()},
        }
        for number, fields in enumerate(lines)
    )


def journal(draw: Draw, folder: Path) -> None:
    """A recording has entries that miss fields, are binary, endless, or out of time; or it is something else."""
    path = folder / "recording"
    match draw(st.integers(0, 5)):
        case 0:
            path.write_bytes(broken(draw, _export()))
        case 1:
            path.write_bytes(draw(st.binary(max_size=400)))
        case 2:
            path.mkdir()
            (path / chosen(draw, ("system.journal", "x", "user-1000.journal"))).write_bytes(
                draw(st.binary(max_size=300))
            )
        case 3:
            lines = [json_bytes(entry) for entry in _entries()]
            path.write_bytes(broken(draw, b"\n".join(lines) + b"\n"))
        case _:
            entries = list(_entries())
            for at in draw(st.sets(st.integers(0, len(entries) - 1), min_size=1, max_size=4)):
                entries[at] = _other_entry(draw, entries[at])
            if draw(st.booleans()):
                # Time goes backwards.
                entries.insert(draw(st.integers(0, len(entries))), entries.pop())
            path.write_bytes(b"\n".join(map(json_bytes, entries)) + b"\n")
    command = chosen(draw, ABOUT_JOURNALS)
    answers = answers_of(chosen(draw, SWARMS))
    with scripted(folder / "engine.sock", lambda _, asked: (plain(answers, asked), False)) as engine:
        if path.is_dir() and "--follow" in command:
            command = ("journal",)
        outcome = check(run((*command, "--journal", str(path), *where(engine.host, folder)), folder))
        if "--follow" in command and "--json" in command:
            for line in outcome.out.splitlines():
                json.loads(line)


def _other_entry(draw: Draw, entry: dict[str, object]) -> dict[str, object]:
    match draw(st.integers(0, 3)):
        case 0:
            numbers = draw(st.lists(st.integers(-1, 256), max_size=4))
            return {**entry, "MESSAGE": [*str(entry["MESSAGE"]).encode(), *numbers]}
        case 1:
            return {**entry, "MESSAGE": _log_line(draw)}
        case 2:
            return {**entry, "MESSAGE": "x" * chosen(draw, (70_000, 1_100_000))}
    other: dict[str, object] = mutated(draw, entry)
    return other


def _log_line(draw: Draw) -> str:
    """Return a line that dockerd may have written, with somebody's text in it."""
    text: str = draw(st.one_of(st.sampled_from(TEXTS), st.text(max_size=40))).replace("\ud800", "?")
    level = chosen(draw, ("error", "warning", "info", "fatal", "x", ""))
    lines = [str(entry["MESSAGE"]) for entry in _entries()]
    line = chosen(draw, (f'time="2026-06-12T04:00:00Z" level={level} msg="{text}" error="{text}"', *lines))
    at = draw(st.integers(0, len(line)))
    return line[:at] + text + line[at:]


PIECES = (
    "&a ", "*a", "<<: ", "!!python/object:os.system ", "%YAML 1.3\n", "---\n", "...\n", "\t", "\ufeff", "- ", "? ", ": ", "|", ">-\n", "'", '"', "{", "[", "}", "]",
    "#", "${vars.network}", "${steps.x.outputs.y}", "${", "}", "1: 2\n", "null: 1\n", "0x10", "1e3", "yes", "~", "\r\n", "\u2028", "\x85", "@", "`", "\\",
)  # fmt: skip
YAML_VALUES = (*PIECES, *TEXTS, "[]", "{}", "9" * 5000, "[" * 1000, "5s", "-1", "true", "{a: b}", "[a, b]")


def _other_lines(draw: Draw, lines: list[str]) -> list[str]:
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.integers(0, 3)):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[draw(st.integers(0, len(lines) - 1))])
            case 2:
                lines[at] = " " * draw(st.integers(0, 12)) + lines[at].lstrip()
            case _:
                key, colon, _ = lines[at].partition(":")
                lines[at] = f"{key}{colon} {chosen(draw, YAML_VALUES)}\n"
    return lines


def runbook(draw: Draw, folder: Path) -> None:
    """A runbook has pieces of YAML where none belong, other values, another encoding, or is cut."""
    text = shipped_runbook().read_text("utf-8")
    path = folder / "runbook.yaml"
    match draw(st.integers(0, 5)):
        case 0:
            data = broken(draw, text.encode())
        case 1:
            data = text.encode(chosen(draw, ("utf-16", "utf-32", "utf-8-sig", "utf-16-be")))
        case 2:
            lines = _other_lines(draw, text.splitlines(keepends=True))
            data = "".join(lines).encode("utf-8", "surrogatepass")
        case 3:
            data = b"a: " + chosen(
                draw,
                (
                    b"&a [*a]",
                    b"{" * 5000,
                    b"- " * 5000,
                    b"[" * 5000,
                    b"x" * 70_000,
                    b'"\\u0000"',
                    b"!!binary aa",
                    b"? ? ? a",
                ),
            )
        case _:
            for _ in range(draw(st.integers(1, 3))):
                at = draw(st.integers(0, len(text)))
                text = text[:at] + chosen(draw, (*PIECES, *TEXTS)) + text[at + draw(st.integers(0, 3)) :]
            data = text.encode("utf-8", "surrogatepass")
    path.write_bytes(data)
    outcome = check(run(("validate", str(path)), folder))
    if outcome.code not in (0, 64):
        raise Misbehaved(f"validate ends with {outcome.code}")
    if outcome.code == 0:
        answers = answers_of(SWARMS[0])
        with scripted(folder / "engine.sock", lambda _, asked: (plain(answers, asked), False)) as engine:
            command = ("run", str(path), "--check", *chosen(draw, ((), ("--json",), ("--calls",))))
            check(run((*command, *where(engine.host, folder)), folder))
