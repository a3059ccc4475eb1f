"""What is kept on disk: databases and files that are cut, older, newer, somebody else's, locked or no files at all."""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from hypothesis import strategies as st

from tests.fuzz.engine import answers_of, plain, where
from tests.fuzz.mutations import TEXTS, Draw, broken, chosen, json_bytes, mutated
from tests.fuzz.program import Misbehaved, check, run
from tests.fuzz.state import SWARM, kept
from tests.support.scripted import scripted

ABOUT_DATABASES: tuple[tuple[str, ...], ...] = (
    ("history",),
    ("history", "proxy"),
    ("history", "--json"),
    ("history", "--csv"),
    ("history", "--events"),
    ("history", "--events", "--json"),
    ("glance",),
    ("glance", "--json"),
    ("guard", "--dry-run"),
    ("runs",),
    ("runs", "--json"),
    ("report",),
    ("report", "--json"),
    ("report", "--full"),
    ("abandon", "20260612"),
    ("doctor", "--json"),
)
ABOUT_FILES: tuple[tuple[str, ...], ...] = (
    ("glance",),
    ("glance", "--json"),
    ("guard", "--dry-run"),
    ("guard", "--dry-run", "--json"),
    ("runs",),
    ("report",),
    ("report", "--json"),
    ("alert",),
    ("stack-rm", "web"),
    ("run", "--check"),
    ("history", "--events"),
    ("doctor", "--all"),
    ("doctor", "--json"),
)
ALERT = '[[alert]]\nname = "pager"\ncommand = ["/bin/true"]\n[[node]]\nname = "other"\nhost = "unix:///nowhere.sock"\n'
OF_RUNS = ("runs", "report", "decide", "abandon", "alert")
"""These ask no engine."""


def _laid_out(folder: Path, *, with_borrow: bool) -> Path:
    state = folder / "state"
    for name, content in kept().items():
        if with_borrow or not name.startswith("borrow/"):
            path = state / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_bytes(content)
    state.chmod(0o700)
    return state


def _command(command: tuple[str, ...], folder: Path, *, more: str = "") -> None:
    answers = answers_of(SWARM)
    with scripted(folder / "engine.sock", lambda _, path: (plain(answers, path), False)) as engine:
        options = where(engine.host, folder)
        config = folder / "config.toml"
        config.write_text(config.read_text() + more)
        if command[0] in OF_RUNS:
            options = ("--config", str(config)) if command[0] == "alert" else ()
        check(run((*command, *options), folder))


def databases(draw: Draw, folder: Path) -> None:
    """A database of history, record or run is damaged; what reads it says so, and changes no byte of it."""
    state = _laid_out(folder, with_borrow=False)
    path = state / chosen(draw, sorted(name for name in kept() if name.endswith((".sqlite", ".db"))))
    held = _hurt(draw, path)
    before = path.read_bytes() if path.is_file() else b""
    command = chosen(draw, ABOUT_DATABASES)
    try:
        _command(command, folder)
    finally:
        held()
    after = path.read_bytes() if path.is_file() else b""
    if after != before and command[0] not in ("decide", "abandon"):
        raise Misbehaved(f"{path.name} was changed by {command[0]}")


def _hurt(draw: Draw, path: Path) -> Callable[[], None]:
    """Damage a database, and return what lets go of it."""
    match draw(st.integers(0, 9)):
        case 0 | 1:
            path.write_bytes(broken(draw, path.read_bytes()))
        case 2:
            path.write_bytes(
                draw(st.one_of(st.just(b""), st.binary(max_size=100), st.just(b"SQLite format 3\0")))
            )
        case 3:
            path.unlink()
            _something_else(draw, path)
        case 4:
            # Somebody else's, or of another version.
            with closing(sqlite3.connect(path, isolation_level=None)) as file, suppress(sqlite3.Error):
                file.execute(f"PRAGMA user_version = {draw(st.integers(-5, 5))}")
                for table in _tables(file):
                    if draw(st.booleans()):
                        file.execute(
                            chosen(
                                draw,
                                (
                                    f"DROP TABLE {table}",
                                    f"ALTER TABLE {table} RENAME TO other",
                                    f"ALTER TABLE {table} ADD COLUMN another TEXT",
                                ),
                            )
                        )
        case 5:
            # What is left where a writer was killed.
            path.with_name(f"{path.name}{chosen(draw, ('-wal', '-journal', '-shm'))}").write_bytes(
                broken(draw, path.read_bytes()[:5000])
            )
        case 6 if draw(st.integers(0, 9)) == 0:
            file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            file.execute("BEGIN EXCLUSIVE")
            return file.close
        case _:
            _other_rows(draw, path)
    return lambda: None


def _something_else(draw: Draw, path: Path) -> None:
    """Put what is no file where one was."""
    match draw(st.integers(0, 3)):
        case 0:
            path.mkdir()
        case 1:
            path.symlink_to(path.name)
        case 2:
            path.symlink_to("/nowhere")
        case _ if path.name.endswith(".sqlite"):
            os.mkfifo(path)
        case _:
            path.write_bytes(b"")


def _tables(file: sqlite3.Connection) -> list[str]:
    return [
        name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    ]


def _other_rows(draw: Draw, path: Path) -> None:
    """Put other values into rows, as somebody with sqlite3 can."""
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("PRAGMA writable_schema = ON")
        for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            file.execute(f"DROP TRIGGER {name}")
        for _ in range(draw(st.integers(1, 3))):
            table = chosen(draw, _tables(file))
            columns = [row[1] for row in file.execute(f"PRAGMA table_info({table})")]
            rows = file.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - a name of the schema
            if not rows:
                continue
            row = chosen(draw, rows)
            place = draw(st.integers(0, len(columns) - 1))
            value: object = row[place]
            if isinstance(value, str) and value[:1] in "[{" and draw(st.booleans()):
                # What an earlier round put there may be no JSON.
                with suppress(ValueError, RecursionError):
                    value = json_bytes(mutated(draw, json.loads(value))).decode("utf-8", "replace")
            else:
                value = chosen(
                    draw,
                    (
                        "",
                        None,
                        b"\xff\x00",
                        -1,
                        2**62,
                        -(2**62),
                        1.5,
                        float("inf"),
                        "x",
                        "[]",
                        "{}",
                        "null",
                        "[" * 30_000,
                        *(text for text in TEXTS if text != "\ud800"),
                    ),
                )
            match = " AND ".join(f"{column} IS ?" for column in columns)
            with suppress(sqlite3.Error):
                update = f"UPDATE {table} SET {columns[place]} = ? WHERE {match}"  # noqa: S608 - names of the schema
                file.execute(update, (value, *row))


def files(draw: Draw, folder: Path) -> None:
    """A file that this program keeps is cut, another one's, or no file at all."""
    state = _laid_out(folder, with_borrow=draw(st.booleans()))
    names = sorted(str(path.relative_to(state)) for path in state.rglob("*") if path.is_file())
    texts = [name for name in names if not name.endswith((".sqlite", ".db"))]
    for _ in range(draw(st.integers(1, 2))):
        path = state / chosen(draw, texts)
        match draw(st.integers(0, 5)):
            case 0 if path.is_file():
                path.write_bytes(broken(draw, path.read_bytes()))
            case 1:
                if path.is_file():
                    path.unlink()
                elif path.is_dir():
                    shutil.rmtree(path)
                if not os.path.lexists(path):
                    _something_else(draw, path)
            case 2 if path.is_file():
                path.write_bytes(
                    chosen(
                        draw,
                        (
                            b"null",
                            b"[]",
                            b"{}",
                            b'"x"',
                            b"1",
                            b"[" * 30_000,
                            b"9" * 5000,
                            b"\xff\xfe{\0}\0",
                            b"\0" * 50,
                        ),
                    )
                )
            case _ if path.is_file():
                with suppress(ValueError, RecursionError):
                    path.write_bytes(json_bytes(mutated(draw, json.loads(path.read_bytes()))))
    _command(chosen(draw, ABOUT_FILES), folder, more=ALERT)
