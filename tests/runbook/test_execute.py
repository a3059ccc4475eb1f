"""`exec`: off unless the settings name the program, and never a shell."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.errors import Declined, HostError, SettingsError, StepFailed
from console.runbook.actions.execute import MOST_LINES, TAIL_LINES
from console.runbook.contracts import Answer
from console.runbook.language.values import Json
from console.settings import RunSettings, load_settings
from tests.support.benches import Bench, bench


@pytest.fixture
def host() -> Iterator[Bench]:
    with bench("empty") as ready:
        ready.with_settings(run=RunSettings(("/bin/sh", "/bin/echo", "/usr/bin/env", "/nonexistent")))
        yield ready


@pytest.mark.parametrize(
    ("allowed", "program", "said"),
    [
        ((), "/bin/echo", "Runbooks may run no programs here: the setting run.programs is empty."),
        (("/bin/true",), "/bin/echo", "Runbooks may not run /bin/echo: "),
        (("/bin/echo",), "echo", "Runbooks may not run echo: "),
        (("/bin/echo",), "/bin/../bin/echo", "the setting run.programs does not list it"),
        (("/nonexistent",), "/nonexistent", "/nonexistent does not exist, or cannot be run."),
    ],
)
async def test_a_program_that_nobody_allowed_is_not_run(
    host: Bench, allowed: tuple[str, ...], program: str, said: str
) -> None:
    host.with_settings(run=RunSettings(allowed))
    (refused,) = (await host.plan("exec", argv=[program])).refused
    assert said in refused
    with pytest.raises(Declined, match=r"run no programs|may not run|does not exist"):
        await host.act("exec", argv=[program])


def test_the_settings_take_only_absolute_paths(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[run]\nprograms = ["/bin/true", "true"]\n')
    with pytest.raises(SettingsError, match=r"run.programs must be absolute paths, not true"):
        load_settings([path])
    path.write_text('[run]\nprograms = ["/bin/true"]\n')
    assert load_settings([path]).run.programs == ("/bin/true",)


async def test_the_plan_is_the_exact_command_without_secrets(host: Bench) -> None:
    plan = await host.plan("exec", argv=["/bin/echo", "a b", "$HOME"], env={"TOKEN": "secret"}, cwd="/tmp")  # noqa: S108 - a directory that exists
    assert plan.calls == ("/bin/echo 'a b' '$HOME' with TOKEN set in /tmp",)
    assert plan.no_return
    assert "secret" not in repr(plan)


@pytest.mark.process
async def test_arguments_are_arguments_and_never_a_shells(host: Bench) -> None:
    outputs = await host.act("exec", argv=["/bin/echo", "$HOME", "`id`", "; rm -rf /", "*"])
    assert outputs == {"exit_code": 0, "tail": ["$HOME `id` ; rm -rf / *"]}


@pytest.mark.process
async def test_its_environment_is_what_the_runbook_gives(
    host: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "x")
    outputs = await host.act("exec", argv=["/usr/bin/env"], env={"A": "b"})
    tail = outputs["tail"]
    assert isinstance(tail, list)
    assert sorted(str(each).partition("=")[0] for each in tail) == ["A", "LC_ALL", "PATH"]


@pytest.mark.process
async def test_what_it_says_is_told_while_it_runs_clean_and_bounded(host: Bench) -> None:
    script = r"printf 'a\033[31m\n'; seq 1 3000"
    outputs = await host.act("exec", argv=["/bin/sh", "-c", script])
    assert host.said[:2] == ["a\\x1b[31m", "1"]
    assert len(host.said) == MOST_LINES + 1
    assert host.said[-1] == "… 1001 lines more"
    assert outputs["tail"] == [str(each) for each in range(3001 - TAIL_LINES, 3001)]


@pytest.mark.parametrize(("expect", "code"), [([0], 3), ([1, 2], 0)])
@pytest.mark.process
async def test_another_exit_code_than_expected_is_a_failure(
    host: Bench, expect: list[Json], code: int
) -> None:
    with pytest.raises(StepFailed, match=f"`/bin/sh` ended with exit code {code}: it went wrong"):
        await host.act("exec", argv=["/bin/sh", "-c", f"echo it went wrong; exit {code}"], expect=expect)


@pytest.mark.process
async def test_an_exit_code_that_is_expected_is_none(host: Bench) -> None:
    outputs = await host.act("exec", argv=["/bin/sh", "-c", "exit 4"], expect=[0, 4])
    assert outputs == {"exit_code": 4, "tail": []}
    found = await host.verify("exec", outputs, argv=["/bin/sh"], expect=[0, 4])
    assert found.answer is Answer.YES
    assert (await host.verify("exec", {}, argv=["/bin/sh"])).answer is Answer.CANNOT_TELL


@pytest.mark.process
async def test_at_the_steps_time_limit_it_is_ended(host: Bench) -> None:
    host.timeout_s = 1.0
    with pytest.raises(HostError, match=r"timed out after 0\.9 s"):
        await asyncio.wait_for(host.act("exec", argv=["/bin/sh", "-c", "sleep 1000"]), 60)


async def test_nobody_can_tell_whether_it_was_done(host: Bench) -> None:
    assert (await host.probe("exec", argv=["/bin/echo"])).answer is Answer.CANNOT_TELL
