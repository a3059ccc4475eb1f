"""What systemd and logind say, from what their commands print."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from console.errors import HostError
from console.host.activity import Login, SystemdJob, Timer, Unit
from console.host.reader import Run, read_jobs, read_logins, read_timers, read_units


def saying(**answers: str | Exception) -> tuple[Run, list[tuple[str, ...]]]:
    """Return a way to run commands that prints by the command's first or second word, and what was run."""
    asked: list[tuple[str, ...]] = []

    async def run(argv: Sequence[str], timeout_s: float) -> bytes:
        assert timeout_s == 5
        asked.append(tuple(argv))
        await asyncio.sleep(0)
        key = next(each for each in (*argv[1:2], argv[0]) if each.replace("-", "_") in answers)
        said = answers[key.replace("-", "_")]
        if isinstance(said, Exception):
            raise said
        return said.encode()

    return run, asked


async def test_jobs_are_read_from_their_table() -> None:
    run, asked = saying(
        list_jobs="  814 deploy-proxy.service  start running\n 815 deploy-bridge.service start waiting\n"
    )
    assert await read_jobs(5, run) == (
        SystemdJob("deploy-proxy.service", "start", "running"),
        SystemdJob("deploy-bridge.service", "start", "waiting"),
    )
    assert asked[0][:2] == ("systemctl", "list-jobs")


@pytest.mark.parametrize("said", ["", "No jobs running.\n"])
async def test_no_jobs_are_none(said: str) -> None:
    assert await read_jobs(5, saying(list_jobs=said)[0]) == ()


async def test_a_table_that_is_none_is_an_error() -> None:
    with pytest.raises(HostError, match="gave a malformed reply"):
        await read_jobs(5, saying(list_jobs="Failed to list: \x1b[2J")[0])


async def test_units_are_read_with_the_time_of_their_last_change() -> None:
    an_hour_ago = int((time.monotonic() - 3600) * 1e6)
    run, asked = saying(
        show=f"Id=upgrade.service\nActiveState=activating\nSubState=start\n"
        f"StateChangeTimestampMonotonic={max(an_hour_ago, 1)}\n\n"
        "Id=none.service\nActiveState=inactive\nSubState=dead\nStateChangeTimestampMonotonic=0\n"
    )
    busy, idle = await read_units(("upgrade*", "none.service"), 5, run)
    assert (busy.name, busy.is_at_work, idle.is_at_work, idle.since) == ("upgrade.service", True, False, None)
    assert busy.since is not None
    assert (datetime.now(UTC) - busy.since).total_seconds() >= min(3500, time.monotonic() - 60)
    assert asked[0][-3:] == ("--", "upgrade*", "none.service")


@pytest.mark.parametrize(
    ("state", "detail", "works"),
    [
        ("active", "running", True),
        ("active", "exited", False),
        ("activating", "start", True),
        ("activating", "auto-restart", True),
        ("deactivating", "stop", True),
        ("reloading", "reload", True),
        ("inactive", "dead", False),
        ("failed", "failed", False),
    ],
)
def test_a_oneshot_that_is_done_is_not_at_work(state: str, detail: str, works: bool) -> None:  # noqa: FBT001 - a row
    assert Unit("x.service", state, detail, None).is_at_work is works


async def test_timers_are_read_from_their_json() -> None:
    run, _ = saying(
        list_timers='[{"next":1781229600000000,"left":1,"last":0,"passed":0,"unit":"sweep.timer","activates":"s"},'
        '{"next":null,"unit":"idle.timer"},{"next":0,"unit":"never.timer"}]'
    )
    assert await read_timers(("*",), 5, run) == (
        Timer("sweep.timer", datetime.fromtimestamp(1781229600, UTC)),
        Timer("idle.timer", None),
        Timer("never.timer", None),
    )


@pytest.mark.parametrize("said", ["NEXT LEFT", "{}x", '[{"next": 1}]', '[{"unit":"a","next":"soon"}]', "[3]"])
async def test_timers_in_another_form_are_an_error(said: str) -> None:
    with pytest.raises(HostError, match="gave a malformed reply"):
        await read_timers(("*",), 5, saying(list_timers=said)[0])


SESSIONS = (
    '[{"session":"7","uid":0,"user":"root","seat":"","tty":"pts/0"},'
    '{"session":"c1","uid":0,"user":"cron","seat":null,"tty":null},'
    '{"session":"9","uid":1,"user":"ada","tty":"pts/1"}]'
)
ROOT, ADA = Login("root", "pts/0", "7", None), Login("ada", "pts/1", "9", None)


async def test_logins_are_sessions_with_a_terminal() -> None:
    run, asked = saying(
        list_sessions='[{"session":"7","uid":0,"user":"root","seat":"","tty":"pts/0","state":"online"},'
        '{"session":"c1","uid":0,"user":"cron","seat":null,"tty":null,"state":"active"},'
        '{"session":"9","uid":1,"user":"ada","tty":"pts/1","state":"closing"}]'
    )
    assert await read_logins(5, run) == (ROOT,)
    assert [each[1] for each in asked] == ["list-sessions"]


@pytest.mark.parametrize(
    ("states", "there"),
    [
        ("Id=7\nState=active\n\nId=9\nState=closing\n", (ROOT,)),
        ("Id=9\nState=online\n\nId=7\nState=closing\n", (ADA,)),
        # Nothing is told of one, or of none: it counts.
        ("Id=7\nState=closing\n", (ADA,)),
        ("nonsense", (ROOT, ADA)),
        (HostError("Failed to get session path: No session '9' known"), (ROOT, ADA)),
    ],
)
async def test_an_older_logind_is_asked_for_the_states_of_its_sessions(
    states: str | Exception, there: tuple[Login, ...]
) -> None:
    run, asked = saying(list_sessions=SESSIONS, show_session=states)
    assert await read_logins(5, run) == there
    assert asked[1][1] == "show-session"
    assert asked[1][-3:] == ("--", "7", "9")


async def test_where_nobody_has_a_terminal_there_is_nothing_more_to_ask() -> None:
    run, asked = saying(list_sessions='[{"session":"c1","uid":0,"user":"cron","seat":null,"tty":""}]')
    assert await read_logins(5, run) == ()
    assert len(asked) == 1


@pytest.mark.parametrize("said", [HostError("no logind"), "nonsense", "[1]"])
async def test_without_logind_utmp_tells(said: str | Exception) -> None:
    run, asked = saying(
        list_sessions=said, who="ada      pts/1        2026-06-12 02:00 (192.0.2.1)\n\x1b[2J x\n"
    )
    (found,) = await read_logins(5, run)
    assert (found.user, found.terminal, found.session) == ("ada", "pts/1", "")
    assert found.since is not None
    assert found.since.astimezone().replace(tzinfo=None) == datetime(2026, 6, 12, 2, 0)  # noqa: DTZ001 - local time
    assert [each[0] for each in asked] == ["loginctl", "who"]


async def test_where_nothing_tells_it_is_an_error() -> None:
    with pytest.raises(HostError, match="no utmp"):
        await read_logins(5, saying(who=HostError("no utmp"))[0], logind=False)
