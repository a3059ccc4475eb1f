import os
import pwd

import pytest

from console.host.who import Who, who_runs_this

SAY = "import os; from console.host.who import who_runs_this; print(who_runs_this(os.environ))"


@pytest.mark.parametrize(
    ("who", "said"),
    [
        (Who("root"), "root"),
        (Who("root", "root"), "root"),
        (Who("root", "alice", "pts/3", "192.0.2.7"), "root (login alice, from 192.0.2.7, pts/3)"),
        (Who("root", terminal="tty1"), "root (tty1)"),
    ],
)
def test_it_is_told_in_a_phrase(who: Who, said: str) -> None:
    assert str(who) == said


def test_it_is_the_effective_user_and_what_ssh_and_sudo_say() -> None:
    found = who_runs_this({"SUDO_USER": "alice", "SSH_CONNECTION": "192.0.2.7 5022 192.0.2.1 22"})
    assert found.user == pwd.getpwuid(os.geteuid()).pw_name
    assert found.peer == "192.0.2.7"
    # A login that the kernel knows of goes before what the environment says.
    assert found.login


def test_what_the_environment_says_is_cleaned() -> None:
    found = who_runs_this({"SSH_CONNECTION": "\x1b[2Jx 1", "SUDO_USER": "a\nb"})
    assert str(found).isprintable()


def test_a_user_without_a_name_has_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54_321)
    assert who_runs_this({}).user == "uid 54321"
