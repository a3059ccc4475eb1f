"""What an engine answers: wrong values, wrong bytes on the wire, and events; and names that others gave."""

import asyncio
import json
import os
import signal
import threading
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from hypothesis import strategies as st

from console.clock import SystemClock
from console.swarm.client import EngineConnection
from console.swarm.events import BEGINNING, EventGap, EventSource
from console.swarm.model import Event
from tests.fuzz.engine import SWARMS, answers_of, hasty_recorder, plain, where
from tests.fuzz.mutations import TEXTS, Draw, broken, chosen, json_bytes, mutated, places
from tests.fuzz.program import Misbehaved, check, deadline, run
from tests.support.scripted import response, scripted

READING: tuple[tuple[str, ...], ...] = (
    ("glance",),
    ("glance", "--json"),
    ("glance", "--prometheus"),
    ("glance", "proxy", "--holders"),
    ("glance", "proxy", "--holders", "--json"),
    ("glance", "proxy", "--all"),
    ("why",),
    ("why", "--json"),
    ("why", "waits_app"),
    ("quiet", "--for", "0", "--timeout", "0"),
    ("quiet", "--for", "0", "--timeout", "0", "--json"),
    ("guard", "--dry-run"),
    ("guard", "--dry-run", "--json", "--need", "4"),
    ("stack-rm", "web", "--explain"),
    ("stack-rm", "web"),
    ("run", "--check"),
    ("run", "--check", "--json"),
    ("run", "--check", "--calls"),
    ("census", "proxy"),
    ("reclaim",),
    ("history", "--events"),
    ("doctor", "--all"),
    ("doctor", "--json"),
)
"""What an operator runs; none of it changes anything: the word that confirms is missing."""
RECORDED = (("history", "--events", "--json"), ("history", "--events"), ("history",), ("glance", "--json"))
OTHER_LOOKS, LAST_LOOK = (2, 3), 5
"""Which snapshots of a recorder see something else, and which is its last."""
LISTS = ("/info", "/networks", "/services", "/tasks", "/nodes", "/containers/json", "/secrets", "/configs")
WIDTHS = (80, 40, 60, 120, 200)


def api(draw: Draw, folder: Path) -> None:
    """Fields of answers are missing, null, of other types, huge, or somebody else's."""
    answers = dict(answers_of(chosen(draw, SWARMS)))
    for _ in range(draw(st.integers(1, 2))):
        path = chosen(
            draw,
            sorted(path for path in answers if path.startswith("/") and path not in ("/_ping", "/events")),
        )
        if draw(st.booleans()):
            path = chosen(draw, LISTS)
        answers[path] = json_bytes(mutated(draw, _document(answers[path])))
    with scripted(folder / "engine.sock", lambda _, path: (plain(answers, path), False)) as engine:
        check(run((*chosen(draw, READING), *where(engine.host, folder)), folder))


def _document(answer: bytes) -> object:
    try:
        return json.loads(answer) if answer[:1] in b"[{" else None
    except (RecursionError, ValueError):
        # It was mutated before, into what is nested without end or has a number without end.
        return None


def wire(draw: Draw, folder: Path) -> None:
    """Bodies end early, lengths are wrong, chunks are garbage, and versions are none."""
    answers = answers_of(chosen(draw, SWARMS))
    hurt = chosen(draw, ("/_ping", "/version", *LISTS))
    body = answers.get(hurt, b"{}")
    how = draw(st.integers(0, 7))
    version = chosen(
        draw, ("1.41", "", "x", "1.", "99999.1", "-1.2", "1.41\xb2", "1.5 2", "1." + "9" * 5000, "1.41/../x")
    )
    match how:
        case 0:
            data = broken(draw, plain(answers, hurt))
        case 1:
            data = response(broken(draw, body), version="1.41")
        case 2:
            data = response(body, length=max(0, len(body) + draw(st.integers(-50, 50))))
        case 3:
            data = response(body, version=version)
        case 4:
            status = chosen(
                draw,
                (
                    "204 No",
                    "301 Moved",
                    "400 Bad",
                    "404 Not",
                    "500 Oops",
                    "503 Busy",
                    "999 x",
                    "100 Continue",
                    "-1 x",
                    "200",
                ),
            )
            data = response(
                chosen(
                    draw,
                    (body, b"", b"{}", b"[]", b'{"message":[]}', b'{"message":"\\u001b[2J"}', b"\xff\xfe"),
                ),
                status,
            )
        case 5:
            size = chosen(draw, ("zz", "-5", "ffffffffff", "", "5;x=1", "0"))
            data = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\n".encode() + body[:100]
        case 6:
            data = b"HTTP/1.1 200 OK\r\n" + draw(st.binary(max_size=200)) + b"\r\n\r\n" + body
        case _:
            data = draw(st.binary(max_size=300))

    def reply(_: str, path: str) -> tuple[bytes, bool]:
        return (
            (data, True)
            if path == hurt or (hurt == "/version" and path == "/_ping")
            else (plain(answers, path), False)
        )

    with scripted(folder / "engine.sock", reply) as engine:
        check(run((*chosen(draw, READING), *where(engine.host, folder)), folder))


def events(draw: Draw, folder: Path) -> None:
    """A stream of events is garbage, or never ends one."""
    answers = answers_of(chosen(draw, SWARMS[:3]))
    lines = answers["/events"].splitlines()[-20:]
    for at in draw(st.sets(st.integers(0, len(lines) - 1), min_size=1, max_size=3)):
        lines[at] = (
            broken(draw, lines[at])
            if draw(st.booleans())
            else json_bytes(mutated(draw, json.loads(lines[at])))
        )
    stream = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b"\n".join(lines) + b"\n"
    with (
        scripted(
            folder / "engine.sock",
            lambda _, path: (stream, True) if path == "/events" else (plain(answers, path), False),
        ) as engine,
        deadline(),
    ):
        asyncio.run(_listen(engine.host))


async def _listen(host: str) -> None:
    connection = EngineConnection(host, 2)
    try:
        async with EventSource(connection, SystemClock()).listening(BEGINNING) as items:
            async for item in items:
                if isinstance(item, EventGap):
                    if not item.why.reason:
                        raise Misbehaved("a gap without a reason")
                    return
                if isinstance(item, Event) and not item.name.isprintable():
                    raise Misbehaved(item.name)
    finally:
        connection.close()


def recorder(draw: Draw, folder: Path) -> None:
    """A recorder sees a swarm, then another state of it that cannot be, then the first again; its record can be read."""
    before = dict(answers_of(chosen(draw, SWARMS)))
    after = dict(before)
    for _ in range(draw(st.integers(1, 2))):
        path = chosen(draw, LISTS[:5])
        after[path] = json_bytes(mutated(draw, json.loads(before[path])))
    question = chosen(draw, RECORDED)
    looks, ended, seen = count(), threading.Event(), [0]

    def reply(_: str, path: str) -> tuple[bytes, bool]:
        if path == "/info":
            # Two threads may ask at once.
            number = seen[0] = next(looks)
            if number == LAST_LOOK and not ended.is_set():
                os.kill(os.getpid(), signal.SIGTERM)
        if path == "/events":
            return response(b"").partition(b"Content-Length")[0] + b"\r\n", False
        return plain(after if seen[0] in OTHER_LOOKS else before, path), False

    with scripted(folder / "engine.sock", reply) as engine, hasty_recorder():
        try:
            outcome = check(run(("record", *where(engine.host, folder)), folder))
        finally:
            ended.set()
        if outcome.code != 0:
            raise Misbehaved(f"the recorder ended with {outcome.code}: {outcome.err}")
        check(run((*question, *where(engine.host, folder)), folder))


def names(draw: Draw, folder: Path) -> None:
    """Names of networks, services, stacks, nodes and images are hostile, the same ones everywhere."""
    answers = dict(answers_of(chosen(draw, SWARMS)))
    documents = {
        path: json.loads(body)
        for path, body in answers.items()
        if body[:1] in b"[{" and path not in ("/events", "/_ping")
    }
    used = sorted(
        {
            value
            for document in documents.values()
            for holder, key in places([document])
            if isinstance(value := holder[key], str) and len(value) > 1 and _is_name(key)
        }
    )
    renamed = {}
    for _ in range(draw(st.integers(1, 4))):
        name = chosen(draw, used)
        renamed[name] = draw(
            st.one_of(st.sampled_from(TEXTS), st.text(max_size=30).map(lambda text: text or "x"))
        )
    for path, document in documents.items():
        box = [document]
        for holder, key in places(box):
            if isinstance(holder[key], str) and holder[key] in renamed:
                holder[key] = renamed[holder[key]]
        answers[path] = json_bytes(box[0])
    command: Sequence[str] = chosen(draw, READING)
    if command[-1] in ("proxy", "web", "waits_app"):
        hostile = next(iter(renamed.values()))
        try:
            # As an argument it comes with what the system can give to a program.
            hostile = os.fsdecode(os.fsencode(hostile.replace("\x00", "")))
        except UnicodeError:
            hostile = "x"
        command = (*command[:-1], hostile) if not hostile.startswith("-") else command
    width = chosen(draw, WIDTHS)
    environment = {"COLUMNS": str(width)}
    with scripted(folder / "engine.sock", lambda _, path: (plain(answers, path), False)) as engine:
        by_rich = command[0] in ("glance", "why") and not {"--json", "--prometheus"} & set(command)
        check(run((*command, *where(engine.host, folder)), folder, environment), width if by_rich else None)


def _is_name(key: object) -> bool:
    return key in (
        "Name",
        "Hostname",
        "com.docker.stack.namespace",
        "Image",
        "ID",
        "Id",
        "Message",
        "Err",
        "Driver",
    )
