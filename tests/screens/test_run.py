"""`vipconsole run` and what goes with it, as processes."""

import os
import pty
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from console.nixos.file import NOT_NIXOS, PLACES
from console.runbook.store.output import WAITING, read_waiting, waiting_mark
from console.runbook.store.viewer import read_stored_run
from tests.support import sample_actions
from tests.support.changes import ENTER
from tests.support.maintenance import Site, eventually, site
from tests.support.program import PROGRAM

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="runs are root's")
LOOK = "{id: look, uses: evidence.capture}"


@pytest.fixture
def here() -> Iterator[Site]:
    with site() as found:
        yield found


def test_a_plan_is_shown_and_nothing_is_touched(here: Site) -> None:
    path = here.runbook(LOOK, here.sh("touch", "touch $0/touched", "confirm: really"))
    shown = here.vipconsole("run", path, "--check")
    assert shown.code == 0, shown.err
    assert "2 steps, 1 with changes." in shown.out
    assert "GOES DOWN    nothing" in shown.out
    assert "ASKS BEFORE  touch (type really)" in shown.out
    assert "CANNOT UNDO  touch: This step cannot be undone" in shown.out
    assert "/bin/sh -c 'touch $0/touched'" in shown.out
    whole = here.vipconsole("run", path, "--check", "--calls")
    assert whole.out.startswith(shown.out)
    assert "POINT OF NO RETURN" in whole.out
    assert "asks for the word  really" in whole.out
    assert f"/bin/sh -c 'touch $0/touched' {here.folder}" in whole.out
    document = here.vipconsole("run", path, "--check", "--json").json
    assert document["overview"]["asks"] == ["touch (type really)"]
    assert document["steps"][1]["plan"]["calls"][0].startswith("/bin/sh -c")
    assert not here.operator.state.exists()
    assert not (here.folder / "touched").exists()


@pytest.mark.skipif(PLACES.is_nixos, reason="the steps apply here")
def test_a_step_that_needs_a_skipped_one_is_skipped_too(here: Site) -> None:
    path = here.runbook(
        "{id: build, uses: nix.edit_and_build, with: {network: proxy, subnet: 10.10.0.0/16}}",
        '{id: switch, uses: nixos.switch, with: {system: "${steps.build.outputs.new_system}"}, confirm: switch}',
    )
    shown = here.vipconsole("run", path, "--check")
    assert shown.code == 0, shown.err
    assert f"SKIPPED      build: {NOT_NIXOS}" in shown.out
    assert "switch: It needs build, which is skipped." in shown.out
    assert "ASKS BEFORE  nothing" in shown.out


def test_a_headless_run_passes_what_it_may_and_tells_everything(here: Site) -> None:
    path = here.runbook(
        LOOK,
        here.sh("touch", "echo one; touch $0/touched", "confirm: really"),
        "{id: last, uses: evidence.capture, checkpoint: true}",
    )
    done = here.vipconsole("run", path, "--headless", "--confirm", "touch=really")
    assert done.code == 0, done.out + done.err
    assert (here.folder / "touched").exists()
    assert "touch | one" in done.out
    assert "touch: confirm by root" in done.out
    report = here.vipconsole("report", "--json").json
    assert [each["state"] for each in report["steps"]] == ["done"] * 3
    assert report["steps"][1]["outputs"] == {"exit_code": 0, "tail": ["one"]}
    assert report["steps"][1]["decisions"][0]["by"].startswith("root")
    assert not report["blocks"]
    markdown = here.vipconsole("report", "--full")
    assert markdown.code == 0
    assert "## 2. touch: touch" in markdown.out
    assert "Outcome     DONE (exit code 0). 3 steps: 3 done." in here.vipconsole("report").out
    assert "done" in here.vipconsole("runs").out
    folder = here.run_folder
    assert {oct(each.stat().st_mode & 0o777) for each in (folder, *folder.iterdir())} == {"0o700", "0o600"}


def test_it_waits_for_what_nobody_said_and_goes_on_when_somebody_does(here: Site) -> None:
    path = here.runbook(
        LOOK, here.sh("touch", "touch $0/touched", "confirm: really"), LOOK.replace("look", "after")
    )
    waiting = here.vipconsole("run", path, "--headless")
    assert waiting.code == 4, waiting.out + waiting.err
    run = here.run_folder.name
    assert f"vipconsole decide {run} touch confirm=really" in waiting.out
    wrong = here.vipconsole("decide", run, "touch", "confirm=Really")
    assert (wrong.code, "Wrong word" in wrong.err) == (3, True)
    stale = here.vipconsole("decide", run, "touch", "confirm=really", "--plan", "0000")
    assert (stale.code, "has changed since it was shown" in stale.err) == (3, True)
    without = here.vipconsole("decide", run, "touch", "skip")
    assert (without.code, "needs a reason" in without.err) == (3, True)
    assert not (here.folder / "touched").exists()
    assert here.vipconsole("decide", run, "touch", "confirm=really").code == 0
    assert here.vipconsole("attach", "--headless").code == 0
    assert (here.folder / "touched").exists()
    late = here.vipconsole("decide", run, "touch", "confirm=really")
    assert (late.code, "is over" in late.err) == (3, True)


def test_closing_the_terminal_ends_nothing_and_a_second_run_names_the_holder(here: Site) -> None:
    script = "echo begun; touch $0/begun; while [ ! -e $0/go ]; do sleep 0.1; done; touch $0/ended"
    path = here.runbook(here.sh("long", script), LOOK)
    ours, theirs = pty.openpty()
    arguments = here.asked("run", path, "--headless")
    (here.folder / "run").mkdir()
    with subprocess.Popen(
        [
            "setsid",
            "-c",
            # Under nohup the tests ignore it, and so would the viewer: it is to hear of its terminal's end.
            "env",
            "--default-signal=HUP",
            "unshare",
            "-m",
            "sh",
            "-c",
            ENTER,
            str(here.folder / "run"),
            str(PROGRAM),
            *arguments,
        ],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(here.folder),
            "VIPCONSOLE_STATE_DIR": str(here.operator.state),
        },
    ) as viewer:
        os.close(theirs)
        eventually((here.folder / "begun").exists)
        # The terminal hangs up: whoever reads it is gone, and the viewer with it.
        os.close(ours)
        viewer.wait(60)
    assert viewer.returncode != 0
    second = here.vipconsole("run", path, "--headless")
    assert second.code == 3
    going = f"The maintenance run {here.run_folder.name} is under way at step long"
    assert going in second.err, second.err + here.evidence()
    assert "vipconsole run" in here.operator.lock.read_text()
    census = here.operator.run("census", "proxy", "--yes", "--host", here.simulation.host)
    assert (census.code, "nothing else may change the swarm" in census.err) == (3, True)
    (here.folder / "go").touch()
    assert here.vipconsole("attach", "--headless").code == 0
    assert (here.folder / "ended").exists()
    report = here.report()
    assert [each["state"] for each in report["steps"]] == ["done", "done"]
    assert report["steps"][0]["output"] == ["begun"]
    # Whoever held the lock is gone, and so is the note.
    assert here.operator.lock.read_text() == ""


def test_a_wait_is_told_once_and_what_a_killed_runner_had_waited_for_is_in_the_report(here: Site) -> None:
    path = here.runbook(
        "{id: calm, uses: wait.until, timeout: 10m, with: {every: 1s, until: [{services.converged: {services: [late]}}]}}"
    )
    with here.start("run", path, "--headless") as viewer:
        eventually(lambda: list(here.operator.state.glob(f"runs/*/{WAITING}")))
        here.kill_runner()
        out, _ = viewer.communicate(timeout=120)
    killed = waiting_mark(here.run_folder)
    assert " ".join(out.split()).count("Service late not found") == 1
    assert " | " not in out
    with here.start("resume", "--headless") as viewer:
        eventually(lambda: read_stored_run(here.run_folder).view.step("calm").waits)
        # What the killed runner left is there a moment longer.
        eventually(lambda: waiting_mark(here.run_folder) not in (0, killed))
        here.simulation.model.services.create(sample_actions.spec("late"))
        out, _ = viewer.communicate(timeout=120)
    assert viewer.returncode == 0, out
    (step,) = here.report()["steps"]
    (row,) = step["waited_for"]
    assert (row["what"], row["times"], step["output"]) == ("Service late not found.", 2, [])
    assert read_waiting(here.run_folder) is None


def test_what_was_cut_short_blocks_across_a_reboot_until_it_is_given_up(here: Site) -> None:
    path = here.runbook(here.sh("long", "touch $0/begun; sleep 600"))
    with here.start("run", path, "--headless") as viewer:
        eventually((here.folder / "begun").exists)
        here.kill_runner()
        out, _ = viewer.communicate(timeout=60)
    assert viewer.returncode == 3, out
    assert "The runner process has died" in out
    with closing(sqlite3.connect(here.run_folder / "log.db", isolation_level=None)) as log:
        # As if the machine had been rebooted in between.
        log.execute("DROP TRIGGER events_stay")
        log.execute('UPDATE events SET body = replace(body, \'"boot_id":"\', \'"boot_id":"another-\')')
    glance = here.operator.run("glance", "--json", "--host", here.simulation.host)
    assert glance.code == 2
    finding = next(each for each in glance.json["findings"] if each["code"] == "run-unfinished")
    run = here.run_folder.name
    assert f"The maintenance run {run} (Upkeep) was interrupted at step long" in finding["sentence"]
    assert f"vipconsole resume {run}" in finding["hint"]
    refused = here.operator.run("census", "proxy", "--yes", "--host", here.simulation.host)
    assert (refused.code, "was interrupted at step long" in refused.err) == (3, True)
    # A program leaves no trace that could be looked at: it is not done again unasked.
    resumed = here.vipconsole("resume", run, "--headless")
    assert resumed.code == 3, resumed.out + resumed.err
    assert "Whether the program did its work is unknown" in resumed.out
    assert "rebooted" in resumed.out
    unconfirmed = here.vipconsole("abandon", run)
    assert unconfirmed.code == 64
    given_up = here.vipconsole("abandon", run, "--yes")
    assert (given_up.code, "long (unknown)" in given_up.out) == (0, True)
    glance = here.operator.run("glance", "--json", "--host", here.simulation.host)
    assert "run-unfinished" not in glance.out
    over = here.vipconsole("resume", run)
    assert (over.code, "is over (abandoned)" in over.err) == (3, True)


def test_a_changed_runbook_and_another_swarm_are_refused(here: Site) -> None:
    first, last = here.sh("first", "touch $0/first"), here.sh("last", "touch $0/last", "checkpoint: true")
    path = here.runbook(first, last)
    assert here.vipconsole("run", path, "--headless", "--hold").code == 4
    run = here.run_folder.name
    here.runbook(first, last.replace("touch $0/last", "touch $0/other"))
    refused = here.vipconsole("decide", run, "last", "confirm=continue")
    assert refused.code == 0
    stopped = here.vipconsole("attach", "--headless")
    assert "has changed since it was planned" in stopped.out
    assert (here.vipconsole("resume", run, "--headless").code, (here.folder / "last").exists()) == (3, False)
    here.runbook(here.sh("second", "true"), last)
    misfit = here.vipconsole("resume", run, "--headless", "--accept-changed")
    assert (misfit.code, "first is missing, moved" in misfit.err) == (3, True)
    here.runbook(first, last.replace("touch $0/last", "touch $0/other"))
    # Behind the same socket there is another swarm for a while.
    cluster = here.simulation.model.cluster_id
    here.simulation.model.cluster_id = "another"
    other = here.vipconsole("resume", run, "--headless", "--accept-changed")
    assert (other.code, "part of another swarm" in other.err) == (3, True)
    here.simulation.model.cluster_id = cluster
    accepted = here.vipconsole("resume", run, "--headless", "--accept-changed")
    assert accepted.code == 0, accepted.out + accepted.err
    assert "touch $0/other" in accepted.err
    assert ((here.folder / "other").exists(), (here.folder / "last").exists()) == (True, False)


def test_a_step_that_fails_can_be_tried_again_skipped_or_end_the_run(here: Site) -> None:
    flag = here.folder / "may"
    path = here.runbook(here.sh("picky", "test -e $0/may", "on_failure: ask"), LOOK)
    asked = here.vipconsole("run", path, "--headless")
    assert asked.code == 4, asked.out
    run = here.run_folder.name
    assert "picky failed" in asked.out
    assert here.vipconsole("decide", run, "picky", "retry").code == 0
    eventually(lambda: here.report()["steps"][0]["attempt"] == 2 and here.report()["state"] == "waiting")
    flag.touch()
    assert here.vipconsole("decide", run, "picky", "retry").code == 0
    assert here.vipconsole("attach", "--headless").code == 0
    path = here.runbook(here.sh("picky", "false"), LOOK, name="second.yaml")
    failed = here.vipconsole("run", path, "--headless")
    assert failed.code == 2, failed.out
    last = max(each.name for each in (here.operator.state / "runs").iterdir())
    assert here.vipconsole("decide", last, "picky", "skip", "--reason", "not today").code == 0
    skipped = here.vipconsole("attach", last, "--headless")
    assert skipped.code == 1, skipped.out
    # What was begun and skipped is neither verified nor undone.
    assert here.report(last)["blocks"]


def usage(here: Site, *arguments: str) -> str:
    refused = here.vipconsole("run", *arguments)
    assert refused.code == 64, refused.err
    return refused.err


def test_what_is_asked_wrongly_is_said_before_anything_begins(here: Site, tmp_path: Path) -> None:
    path = here.runbook(LOOK)
    assert "no step lok (did you mean look?)" in usage(here, path, "--headless", "--confirm", "lok=x")
    assert "together with --check" in usage(here, path, "--calls")
    assert "together with --check" in usage(here, path, "--json")
    assert "no variable x" in usage(here, path, "--set", "x=1")
    broken = tmp_path / "broken.yaml"
    broken.write_text("schema: vipconsole.runbook/1\nid: x\n")
    assert "broken.yaml:1:1: " in usage(here, str(broken))
    assert not here.operator.state.exists()
