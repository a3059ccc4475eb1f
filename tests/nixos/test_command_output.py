"""What Nix and switch-to-configuration say, understood: progress, dry activations, exit codes, flakes."""

import json
from pathlib import Path

import pytest

from console.errors import Declined
from console.host.background import ProgramState, ProgramStatus
from console.nixos.file import short
from console.nixos.prediction import Activation, find_units_at_risk, read_activation
from console.nixos.rebuild import NixProgress, flake_at
from console.nixos.switching import SwitchOutcome, judge

RECORDINGS = Path(__file__).with_name("recordings")
"""What Nix 2.8 wrote with `--log-format internal-json`; only its store's folder was replaced."""


def told(name: str) -> tuple[list[str], NixProgress]:
    progress = NixProgress()
    raw = (RECORDINGS / f"{name}.txt").read_bytes().splitlines()
    return [line for each in raw for line in progress.lines(each)], progress


def test_a_build_is_told_by_what_is_built_and_how_much_of_it() -> None:
    lines, progress = told("build")
    assert lines == [
        "building 'unit-swarm-init.service' (0 of 4 built)",
        "1 of 4 built",
        "building 'unit-script-swarm-init-start' (1 of 4 built)",
        "2 of 4 built",
        "building 'etc' (2 of 4 built)",
        "3 of 4 built",
        "building 'nixos-system-host-25.11' (3 of 4 built)",
        "4 of 4 built",
    ]
    assert progress.errors == ()


def test_an_error_is_kept_in_one_line_and_told_in_its_own() -> None:
    lines, progress = told("syntax")
    assert lines[0] == "error: syntax error, unexpected ';'"
    assert progress.errors == (
        "error: syntax error, unexpected ';' at /etc/nixos/swarm.nix:1:7: 1| { a = ; } | ^",
    )
    _, progress = told("failed")
    assert "failed with exit code 3" in progress.errors[0]


def event(**parts: object) -> bytes:
    return b"@nix " + json.dumps(parts).encode()


def test_ten_thousand_paths_are_no_ten_thousand_lines() -> None:
    progress = NixProgress()
    progress.lines(event(action="start", id=1, type=103, text="", level=0))
    lines = [
        line
        for done in range(10_001)
        for line in progress.lines(event(action="result", id=1, type=105, fields=[done, 10_000, 0, 0]))
    ]
    assert len(lines) == 10
    assert lines[-1] == "10000 of 10000 fetched"


@pytest.mark.parametrize(
    "raw",
    [
        b"@nix {",
        b"@nix []",
        b"@nix 3",
        b'@nix {"action": "result", "id": 1, "type": 105, "fields": []}',
        b'@nix {"action": "result", "id": 1, "type": 105, "fields": ["a", "b"]}',
        b'@nix {"action": "start"}',
        b'@nix {"action": "msg", "level": "x"}',
        b"@nix " + b"[" * 5_000,
        b"\xff\xfe plain",
    ],
)
def test_what_is_no_event_is_shown_as_it_is_and_breaks_nothing(raw: bytes) -> None:
    (line,) = NixProgress().lines(raw)
    assert line.isprintable()


def test_nothing_raw_and_no_colour_reaches_the_operator() -> None:
    progress = NixProgress()
    assert progress.lines(b"\x1b[31;1merror:\x1b[0m \x1b]0;title\x07gone") == (
        "error: \\x1b]0;title\\x07gone",
    )
    said = progress.lines(event(action="msg", level=1, msg="\x1b[35;1mwarning:\x1b[0m \u202edirty"))
    assert said == ("warning: \\u202edirty",)


def test_chatter_and_advice_are_left_out() -> None:
    progress = NixProgress()
    assert progress.lines(event(action="msg", level=5, msg="copying")) == ()
    progress.lines(event(action="msg", level=0, msg="error: first"))
    progress.lines(
        event(action="msg", level=0, msg="(use '--show-trace' to show detailed location information)")
    )
    assert progress.errors == ("error: first",)


DRY = """\
would stop the following units: docker.service, docker.socket
would NOT stop the following changed units: getty@tty1.service
would activate the configuration...
would restart systemd
would reload the following units: dbus.service
would restart the following units: swarm-init.service, sshd.service
would start the following units: docker.socket
"""


def test_a_dry_activation_is_read_whole() -> None:
    assert read_activation(DRY.splitlines()) == Activation(
        stops=("docker.service", "docker.socket"),
        restarts=("swarm-init.service", "sshd.service"),
        starts=("docker.socket",),
        reloads=("dbus.service",),
        exempt=("getty@tty1.service",),
        restarts_systemd=True,
    )


def test_one_that_does_not_say_what_it_would_do_is_not_known() -> None:
    assert read_activation(["would stop the following units: a.service"]) is None
    assert read_activation(["would activate the configuration..."]) == Activation()


def test_units_are_endangered_by_themselves_and_by_what_they_need() -> None:
    activation = Activation(
        stops=("docker.socket",), restarts=("containerd.service",), reloads=("docker.service",)
    )
    units = ("docker.service", "docker.socket", "sshd.service")
    found = find_units_at_risk(activation, units, {"docker.service": ("containerd.service",)})
    assert [each.sentence for each in found] == [
        "The switch would take docker.service down with containerd.service, which it needs.",
        "The switch would stop docker.socket.",
    ]
    assert find_units_at_risk(Activation(starts=units, exempt=units), units, {}) == ()


@pytest.mark.parametrize(
    ("standing", "said", "outcome"),
    [
        (
            ProgramStatus(ProgramState.ENDED, 0),
            ["warning: the following units failed: x.service"],
            SwitchOutcome.SWITCHED,
        ),
        (
            ProgramStatus(ProgramState.ENDED, 1),
            ["warning: the following units failed: x.service"],
            SwitchOutcome.UNITS_FAILED,
        ),
        (
            ProgramStatus(ProgramState.ENDED, 1),
            ["Command 'x' returned non-zero exit status 100."],
            SwitchOutcome.REBOOT_NEEDED,
        ),
        (
            ProgramStatus(ProgramState.ENDED, 1),
            ["Command 'x' returned non-zero exit status 2."],
            SwitchOutcome.ACTIVATION_FAILED,
        ),
        (ProgramStatus(ProgramState.ENDED, 1), ["Failed to install bootloader"], SwitchOutcome.REFUSED),
        (ProgramStatus(ProgramState.ENDED, 1), ["Could not acquire lock"], SwitchOutcome.BUSY),
        (ProgramStatus(ProgramState.ENDED, 1), [], SwitchOutcome.REFUSED),
        (
            ProgramStatus(ProgramState.ENDED, 2),
            ["error: unrecognized arguments: --store-path"],
            SwitchOutcome.NOT_RUN,
        ),
        (
            ProgramStatus(ProgramState.ENDED, 2),
            ["Failed to run activate script"],
            SwitchOutcome.ACTIVATION_FAILED,
        ),
        (ProgramStatus(ProgramState.ENDED, 4), [], SwitchOutcome.UNITS_FAILED),
        (ProgramStatus(ProgramState.ENDED, 11), ["Could not acquire lock"], SwitchOutcome.BUSY),
        (ProgramStatus(ProgramState.ENDED, 28), ["No space left on device"], SwitchOutcome.FAILED),
        (ProgramStatus(ProgramState.ENDED, 100), [], SwitchOutcome.REBOOT_NEEDED),
        (
            ProgramStatus(ProgramState.ENDED, 127),
            ["env: 'nixos-rebuild': No such file"],
            SwitchOutcome.NOT_RUN,
        ),
        (ProgramStatus(ProgramState.ENDED, 143), [], SwitchOutcome.ENDED_FROM_OUTSIDE),
        (ProgramStatus(ProgramState.ENDED, 0, "timeout"), [], SwitchOutcome.ENDED_FROM_OUTSIDE),
        (ProgramStatus(ProgramState.ENDED, None, "oom-kill"), [], SwitchOutcome.UNKNOWN),
        (ProgramStatus(ProgramState.LOST), [], SwitchOutcome.UNKNOWN),
    ],
)
def test_an_exit_code_is_told_from_the_others(
    standing: ProgramStatus, said: list[str], outcome: SwitchOutcome
) -> None:
    judged = judge(standing, said)
    assert judged.outcome is outcome
    assert judged.sentence.endswith(".")
    assert bool(judged.hint) is (outcome is not SwitchOutcome.SWITCHED)


def test_the_line_that_tells_most_is_the_one_that_is_told() -> None:
    said = ["building", "error: disk full", "done with it", "Command 'x' returned non-zero exit status 1."]
    assert judge(ProgramStatus(ProgramState.ENDED, 1), said).sentence.endswith(
        "Its output: error: disk full."
    )


@pytest.mark.parametrize(
    ("flake", "meant"),
    [
        (".#host", "/etc/nixos#host"),
        (".", "/etc/nixos"),
        ("#host", "/etc/nixos#host"),
        ("./sub?dir=x#host", "/etc/nixos/sub?dir=x#host"),
        ("/srv/flake#a", "/srv/flake#a"),
        ("github:o/r#host", "github:o/r#host"),
        ("git+file:///srv/x?ref=main#h", "git+file:///srv/x?ref=main#h"),
    ],
)
def test_a_flake_is_meant_from_the_repository(flake: str, meant: str) -> None:
    assert flake_at(flake, Path("/etc/nixos")) == meant


def test_a_path_that_no_flake_reference_can_hold_is_refused() -> None:
    with pytest.raises(Declined, match="is not a valid flake path"):
        flake_at(".#host", Path("/etc/nix#os"))


def test_systems_are_told_apart_in_few_words() -> None:
    path = "/nix/store/abcl0z20yxbiq4ngd5h9i7iwidxdsprd-nixos-system-host-25.11"
    assert short(path) == "nixos-system-host-25.11 (abcl0z20)"
    assert short("unknown") == "unknown"
