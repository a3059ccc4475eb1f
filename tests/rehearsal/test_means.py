"""What a rehearsal needs of its host, and what is refused where it lacks."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from console.errors import HostError, NotAllowed
from console.rehearsal.cgroups import make_group
from console.rehearsal.rehearsal import MB, Means, fit_shape, require_means, without_urls
from console.runbook.language.values import Json
from console.settings import RehearsalSettings, Settings
from tests.rehearsal.test_shape import service, shape

PLENTY = Means(memory_mb=8000, disk_mb=50_000)
SHAPE = shape(service(replicas=50))


def test_a_shape_that_fits_is_rehearsed_whole_within_the_memory_of_the_settings() -> None:
    found, memory_bytes = fit_shape(SHAPE, Settings(), PLENTY)
    assert found == SHAPE
    assert memory_bytes == 1024 * MB


def test_a_shape_that_does_not_fit_gets_fewer_replicas() -> None:
    settings = Settings(rehearsal=RehearsalSettings(memory_mb=500))
    found, memory_bytes = fit_shape(SHAPE, settings, PLENTY)
    assert found.tasks == 20
    assert memory_bytes == 500 * MB


@pytest.mark.parametrize(
    ("means", "part"),
    [
        (replace(PLENTY, memory_mb=900), "900 MB"),
        (replace(PLENTY, disk_mb=100), "100 MB"),
    ],
)
def test_what_lacks_is_refused_with_a_sentence_and_a_hint(means: Means, part: str) -> None:
    with pytest.raises(NotAllowed, match=part) as refusal:
        fit_shape(SHAPE, Settings(), means)
    assert refusal.value.hint


def test_only_root_may_start_an_engine_and_only_where_its_commands_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NotAllowed, match="as root"):
        require_means(PLENTY)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    require_means(PLENTY)
    with pytest.raises(NotAllowed, match="dockerd, nsenter") as refusal:
        require_means(replace(PLENTY, missing=("dockerd", "nsenter")))
    assert "--demo" in refusal.value.hint


def test_urls_are_no_part_of_a_rehearsal_and_other_lists_are() -> None:
    variables: dict[str, Json] = {"urls": ["https://a.example/"], "first": ["*_web"], "network": "proxy"}
    assert without_urls(variables) == {"urls": [], "first": ["*_web"], "network": "proxy"}


def test_where_memory_cannot_be_limited_nothing_is_started(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot be limited"):
        make_group(tmp_path, 100 * MB, root=tmp_path / "no-such-mount")


def test_a_group_of_version_2_has_its_limits_and_no_process_where_limited_groups_are(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory")
    folder = tmp_path / "state"
    make_group(folder, 100 * MB, root=tmp_path)
    (group,) = tmp_path.glob("vipconsole-rehearsal-*")
    assert (group / "memory.max").read_text() == str(100 * MB)
    assert (group / "engine").is_dir()
