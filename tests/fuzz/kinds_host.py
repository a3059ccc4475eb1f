"""What a host gives: settings, the environment, and the words of a command line."""

import json
import string
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from hypothesis import strategies as st

from console.settings_file import reference
from screens.cli.arguments import build_parser
from tests.fuzz.engine import SWARMS, answers_of, plain, where
from tests.fuzz.mutations import TEXTS, VALUES, Draw, broken, chosen
from tests.fuzz.program import check, run
from tests.support.scripted import scripted

TOML = (
    "'",
    '"',
    "[",
    "]",
    "[[alert]]\n",
    "[[node]]\n",
    "[x]\n",
    "=",
    "\n",
    "#",
    "\x00",
    "inf",
    "nan",
    "-1",
    "1e400",
    "9" * 5000,
    "0x1",
    "1979-05-27",
    "true",
    '"""',
    "{",
    ".",
    "\ud800",
    "\r",
    "[" * 3000,
)


def settings(draw: Draw, folder: Path) -> None:
    """Settings have other values, unknown keys, pieces of TOML anywhere, or are cut; and the environment is odd."""
    lines = reference().splitlines()
    at = [place for place, line in enumerate(lines) if " = " in line and not line.startswith("#")]
    match draw(st.integers(0, 3)):
        case 0:
            data = broken(draw, "\n".join(lines).encode())
        case 1:
            text = "\n".join(lines)
            for _ in range(draw(st.integers(1, 3))):
                place = draw(st.integers(0, len(text)))
                text = text[:place] + chosen(draw, TOML) + text[place:]
            data = text.encode("utf-8", "surrogatepass")
        case 2:
            data = (
                chosen(draw, ("[[alert]]\n", "[[node]]\n"))
                + "".join(
                    f"{key} = {_toml(draw)}\n"
                    for key in draw(
                        st.lists(
                            st.sampled_from(
                                (
                                    "name",
                                    "command",
                                    "webhook",
                                    "format",
                                    "at",
                                    "host",
                                    "context",
                                    "journal",
                                    "x",
                                )
                            ),
                            unique=True,
                        )
                    )
                )
            ).encode("utf-8", "surrogatepass")
        case _:
            for _ in range(draw(st.integers(1, 3))):
                place = chosen(draw, at)
                lines[place] = f"{lines[place].partition(' = ')[0]} = {_toml(draw)}"
            data = "\n".join(lines).encode("utf-8", "surrogatepass")
    path = folder / "hostile.toml"
    path.write_bytes(data)
    command = chosen(draw, (("config", "show"), ("config", "show", "--json"), ("alert",), ("config",)))
    check(run((*command, "--config", str(path)), folder))


def _toml(draw: Draw) -> str:
    value = chosen(
        draw,
        (
            *VALUES,
            ["x"],
            [1],
            [["x"]],
            {"a": 1},
            ["/bin/true"],
            ["\x1b"],
            "/bin/true",
            "http://[::1",
            "https://user:pass@host/\x1b",
            "ssh://a@b",
            "unix:///x",
        ),
    )
    if value is None or isinstance(value, dict):
        return chosen(draw, ("{}", "{a = 1}", "2026-01-01", "07:32:00", "1979-05-27T07:32:00Z"))
    return json.dumps(value).replace("NaN", "nan").replace("Infinity", "inf")


VARIABLES = (
    "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "DOCKER_API_VERSION", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "HOME", "VIPCONSOLE_STATE_DIR",
    "COLUMNS", "LINES", "TERM", "NO_COLOR", "FORCE_COLOR", "COLORTERM", "LANG", "LC_ALL", "TZ", "SUDO_USER", "SUDO_UID", "SSH_CONNECTION", "SSH_CLIENT", "USER", "VIPCONSOLE_THEME", "PYTHONIOENCODING",
)  # fmt: skip
ODD = (
    "",
    "0",
    "1",
    "-1",
    "x",
    "dumb",
    "unix://",
    "unix:///",
    "tcp://",
    "tcp://[::1",
    "tcp://x:99999",
    "tcp://\u202e:1",
    "http://x",
    "ssh://x",
    "//",
    "/",
    ".",
    "..",
    "a\nb",
    "\x1b[2J",
    "\udcff",
    "9" * 400,
    "²",
    "/nowhere",
    "/dev/null",
    "/proc/self/mem",
    "C",
    "POSIX",
    "de_DE",
    "xterm-256color",
    "~nobody",
    "a" * 5000,
)


def environment(draw: Draw, folder: Path) -> None:
    """Variables of the environment are what nobody expects."""
    given = {
        name: chosen(draw, ODD) for name in draw(st.sets(st.sampled_from(VARIABLES), min_size=1, max_size=4))
    }
    if given.get("VIPCONSOLE_STATE_DIR", "x") in ("", "/", "//", ".."):
        del given["VIPCONSOLE_STATE_DIR"]
    command: Sequence[str] = chosen(
        draw,
        (
            ("glance",),
            ("glance", "--json"),
            ("config", "show"),
            ("runs",),
            ("history",),
            ("alert",),
            ("validate",),
            ("why",),
            ("run", "--check"),
            ("config", "show", "--json"),
            ("doctor", "--all"),
            ("doctor", "--json"),
        ),
    )
    answers = answers_of(SWARMS[0])
    with scripted(folder / "engine.sock", lambda _, asked: (plain(answers, asked), False)) as engine:
        if command[0] in ("glance", "why", "history", "run", "doctor") and "DOCKER_HOST" not in given:
            command = (*command, *where(engine.host, folder))
        check(run(command, folder, given))


WORDS = (
    "", "-", "--", "proxy", "web", "web_app", "0", "1", "-1", "1h", "1e999", "nan", "²", "9" * 400, "unix:///nowhere.sock", "tcp://127.0.0.1:1", "x=y", "=", "--x", "-x", "127.0.0.1:99999", "[::1]:0", "20260612", "nowhere", "nowhere.toml",
    *(text for text in TEXTS if "\x00" not in text and "\ud800" not in text and "/" not in text), "\udcff",
)  # fmt: skip
SAFE = (
    "glance",
    "quiet",
    "journal",
    "why",
    "history",
    "config",
    "completion",
    "census",
    "stack-rm",
    "reclaim",
    "guard",
    "attach",
    "report",
    "runs",
    "alert",
    "validate",
    "schema",
    "abandon",
    "bogus",
)
"""None of them changes anything where no engine is, and none goes on for ever."""
UNSAFE = frozenset(
    (
        "--demo",
        "--fresh",
        "--fail-at",
        "--yes",
        "--by",
        "--allow-restart",
        "--allow-borrow",
        "--watch",
        "--follow",
        "--test",
        "init",
        "--help",
        "-h",
    )
)
"""What would start something, or go on until a signal."""


@cache
def _options(command: str) -> tuple[str, ...]:
    parser = build_parser(command)
    commands = next(action.choices for action in parser._actions if action.dest == "command") or {}
    chosen_parser = dict(commands).get(command, parser)
    return tuple(sorted(set(chosen_parser._option_string_actions) - UNSAFE))


def arguments(draw: Draw, folder: Path) -> None:
    """A command line has words that no option takes, in any order."""
    command = chosen(draw, SAFE)
    words = draw(
        st.lists(
            st.one_of(
                st.sampled_from((*WORDS, *_options(command))),
                st.text(string.printable, max_size=8).filter(lambda word: "/" not in word),
            ),
            max_size=6,
        )
    )
    words = [
        word
        for word in words
        if not any(word and unsafe.startswith(word.partition("=")[0]) for unsafe in UNSAFE)
    ]
    where_first = (
        ("--host", "unix:///nowhere.sock")
        if command not in ("completion", "validate", "schema", "bogus", "runs", "report", "attach", "abandon")
        else ()
    )
    # Else it waits for an engine that is not there.
    once = ("--for", "0", "--timeout", "0") if command == "quiet" else ()
    check(run((command, *words, *where_first, *once), folder))
