"""The screen of dockerd's log, driven as an operator drives it."""

from pathlib import Path

import pytest

from console.errors import Unknown
from console.journal.summary import summarise
from console.monitor.values import Log, MonitorState
from screens.tui.journal import JournalScreen
from screens.tui.widgets.pane import TextView
from tests.support.frames import compare_body, frame_of
from tests.support.logs import CHATTER, NO_ADDRESS, STRANGE, log
from tests.support.monitor_states import SIZES, environment, host_screen, monitor_state

LINES = [*[CHATTER] * 10, NO_ADDRESS, *[CHATTER] * 10, STRANGE, NO_ADDRESS, *[CHATTER] * 30]


def screen(signature: str = "") -> JournalScreen:
    return JournalScreen(environment(), signature)


def of(told: Log) -> MonitorState:
    return monitor_state(log=told)


def meaning(shown: JournalScreen) -> str:
    return shown.query_one("#meaning", TextView).text


def line_at(shown: JournalScreen) -> int:
    line = shown.lines.current
    return -1 if line is None else line.number


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_findings_their_meaning_and_the_lines_at_every_size(width: int, height: int) -> None:
    async with host_screen(screen(), of(log(LINES)), (width, height)) as (app, pilot):
        await pilot.pause()
        compare_body(f"journal-{width}x{height}", app)


async def test_a_finding_is_explained_and_opens_at_its_last_line() -> None:
    shown = screen()
    async with host_screen(shown, of(log(LINES))) as (_, pilot):
        assert meaning(shown).startswith("A network of a new service is full.")
        await pilot.press("j")
        assert "probably not about addresses" in meaning(shown)
        await pilot.press("enter")
        assert line_at(shown) == 21
        assert 'msg="something nobody knows"' in meaning(shown)
        await pilot.press("escape")
        await pilot.pause()
        await pilot.press("k", "enter")
        assert line_at(shown) == 22


async def test_it_can_begin_with_a_finding() -> None:
    shown = screen("vip-create")
    async with host_screen(shown, of(log([STRANGE, NO_ADDRESS]))):
        assert meaning(shown).startswith("A network of a new service is full.")


async def test_e_goes_to_the_failures_and_says_when_there_is_no_more() -> None:
    shown = screen()
    async with host_screen(shown, of(log(LINES))) as (app, pilot):
        await pilot.press("E", "E")
        assert line_at(shown) == 21
        await pilot.press("E", "E")
        await pilot.pause()
        assert line_at(shown) == 10
        assert "No failure above this line." in "\n".join(frame_of(app))
        await pilot.press("e")
        assert line_at(shown) == 21


async def test_a_filter_and_a_level_narrow_the_lines_are_seen_and_are_taken_back_by_escape() -> None:
    shown = screen()
    async with host_screen(shown, of(log(LINES))) as (app, pilot):
        await pilot.press("v")
        assert shown.lines.count == 3
        await pilot.press("slash", *"nobody", "enter")
        await pilot.pause()
        assert shown.lines.count == 1
        said = "\n".join(frame_of(app))
        assert "explained lines only" in said
        assert "/nobody" in said
        await pilot.press("escape")
        await pilot.pause()
        assert shown.lines.count == len(LINES)
        assert app.screen is shown


async def test_whoever_reads_further_up_is_left_in_peace_and_can_follow_again() -> None:
    shown = screen()
    async with host_screen(shown, of(log(LINES))) as (app, pilot):
        await pilot.press("3", *["k"] * 12)
        await pilot.pause()
        before = [each for each in frame_of(app) if each.startswith("01:")]
        app.monitor_state = of(log([STRANGE] * 4000, first=9000, dropped=9000))
        await pilot.pause()
        assert [each for each in frame_of(app) if each.startswith("01:")] == before
        assert "newer (f follows)" in "\n".join(frame_of(app))
        assert "9000 older dropped" in "\n".join(frame_of(app))
        await pilot.press("f")
        await pilot.pause()
        assert line_at(shown) == 12_999


async def test_a_log_that_cannot_be_read_says_why_and_what_to_do() -> None:
    shown = screen()
    first = monitor_state(log_failed=Unknown("The journal is not readable.", "Join the group adm."))
    async with host_screen(shown, first) as (app, pilot):
        said = "\n".join(frame_of(app))
        assert "The journal is not readable." in said
        assert "Join the group adm." in said
        await pilot.press("e", "v", "f", "c", "s", "j", "enter", "3", "G", "escape")


async def test_old_lines_stay_beside_the_reason_why_no_newer_ones_come() -> None:
    shown = screen()
    async with host_screen(shown, of(log(LINES))) as (app, pilot):
        app.monitor_state = monitor_state(log=log(LINES), log_failed=Unknown("journalctl ended."))
        await pilot.pause()
        assert "STALE: journalctl ended." in "\n".join(frame_of(app))
        assert shown.lines.count == len(LINES)


async def test_a_quiet_log_says_so_and_an_incomplete_one_too() -> None:
    shown = screen()
    async with host_screen(shown, of(log([CHATTER]))) as (app, pilot):
        assert "No failure was logged." in "\n".join(frame_of(app))
        await pilot.press("enter", "j")


async def test_what_is_shown_can_be_copied_and_saved_for_this_user_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIPCONSOLE_STATE_DIR", str(tmp_path / "state"))
    shown = screen()
    async with host_screen(shown, of(log(LINES))) as (app, pilot):
        await pilot.press("c", "3", "c", "v", "v", "s")
        assert app.copied[0].startswith("A network of a new service is full.")
        assert app.copied[1].endswith(CHATTER)
        await app.workers.wait_for_complete()
        (saved,) = (tmp_path / "state" / "saved").glob("journal-*.log")
        assert saved.stat().st_mode & 0o777 == 0o600
        assert len(saved.read_text("utf-8").splitlines()) == 3
        await pilot.pause()
        assert "Saved to" in "\n".join(frame_of(app))


async def test_what_cannot_be_saved_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "state").write_text("a file, not a folder")
    monkeypatch.setenv("VIPCONSOLE_STATE_DIR", str(tmp_path / "state"))
    async with host_screen(screen(), of(log(LINES))) as (app, pilot):
        await pilot.press("s")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "cannot be created" in "\n".join(frame_of(app))


async def test_lines_that_are_no_longer_kept_are_said_to_be_older() -> None:
    shown = screen()
    whole = log([NO_ADDRESS, CHATTER])
    only_chatter = Log(whole.summary, whole.lines[1:], dropped=1)
    async with host_screen(shown, of(only_chatter)) as (app, pilot):
        await pilot.press("enter")
        await pilot.pause()
        assert "Its lines are too old" in "\n".join(frame_of(app))
        assert summarise([], {}).entries == 0
