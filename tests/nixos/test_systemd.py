"""Transient units, chains of units and a whole switch, with the systemd of this machine as it really is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.systemd import Machine, machine

INSIDE = Path(__file__).with_name("inside.py")


@pytest.fixture(scope="module")
def booted() -> Iterator[Machine]:
    with machine() as made:
        yield made


def test_a_program_in_a_unit_ends_as_it_ends_and_is_told_so(booted: Machine) -> None:
    came = booted.do(INSIDE, "ends")
    folder = came.pop("folder")
    rest = [0o600, "only once", "lost"]
    assert came == {
        "well": [[["ended", 0, ""], []], *rest],
        "badly": [[["ended", 4, ""], []], *rest],
        "killed": [[["ended", 137, "signal"], []], *rest],
        "told": [[["ended", 0, ""], ["b c ${HOME} $PATH %n 'x' " + folder, "no"]], *rest],
        "missing": ["ended", 127, ""],
    }


def test_a_runner_whose_name_is_taken_is_told_apart_from_one_that_cannot_be_started(booted: Machine) -> None:
    came = booted.do(INSIDE, "detached")
    is_taken, sentence = came.pop("missing")
    assert came == {"runs": False, "taken": "The unit detached.service still exists.", "stopped": True}
    assert not is_taken
    assert sentence.startswith("systemd did not start missing-program.service: ")
    assert "--setenv" not in sentence


def test_it_goes_on_when_systemd_executes_itself_anew(booted: Machine) -> None:
    assert booted.do(INSIDE, "reexec") == [True, ["ended", 3, ""]]


def test_units_are_restarted_in_order_once_and_to_their_end(booted: Machine) -> None:
    came = booted.do(INSIDE, "chain")
    assert came["chain"] == [
        "swarm-init.service active exited",
        "deploy-zebra.service active exited",
        "deploy-bridge.service inactive dead",
    ]
    # systemd restarted those that need the first with it, and nobody did it again.
    assert came["starts"].count("swarm-init") == 1
    assert came["starts"].count("deploy-zebra") == 1
    (broken,) = came["broken"]
    assert broken.startswith("broken.service failed (exit-code). It logged: ")
    assert "it lacks a key" in broken
    (needs,) = came["needs"]
    assert needs.startswith("needs-broken.service was not restarted. ")
    assert "A dependency job for needs-broken.service failed." in needs
    assert came["elsewhere"] == ["elsewhere.service was skipped: one of its conditions is not met."]
    assert came["unknown"] == ["not-found"]
    (hangs,) = came["hangs"]
    assert hangs.startswith("hangs.service is not finished after 1 s: it is activating (start).")
    assert came["slow"] == ["inactive", ["slow"]]


def test_a_switch_and_its_undo_work_through_the_real_systemd(booted: Machine) -> None:
    came = booted.do(INSIDE, "switch")
    assert came["refused"] == []
    assert came["switched"]
    assert came["verified"] == "yes"
    assert "restarting the following units: swarm-init.service" in came["said"]
    assert "some of its units are not running: certs.service" in came["failed"]
    assert came["undone"]
    assert "0 loaded units listed" in came["units"]
