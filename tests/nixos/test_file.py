"""A Nix file on disk: what an edit keeps of it, and the way back."""

import os
import subprocess
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from console.errors import Declined, HostError, Unknown
from console.nixos.edit import Edit, backup_of, commit_command, git_state, inspect_edit
from console.nixos.file import LIMIT_BYTES, FileBackup, NixosPaths, digest_of, read_nix_file, unified_diff
from console.nixos.swarm_nix import SubnetVerdict
from tests.nixos.cases import unit

SUBNET = IPv4Network("10.10.0.0/16")
SOURCE = unit("docker network create --driver overlay --attachable proxy").encode()
EDITED = SOURCE.replace(b"proxy", b"--subnet 10.10.0.0/16 proxy")
AS_NOBODY = (65534, 65534)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with the file where the settings expect it."""
    folder = tmp_path / "repository"
    (folder / "nix" / "modules").mkdir(parents=True)
    (folder / "nix" / "modules" / "swarm.nix").write_bytes(SOURCE)
    return folder


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


async def snapshot(repository: Path, path: str = "nix/modules/swarm.nix") -> Edit:
    return await inspect_edit(path, repository, "proxy", SUBNET, NixosPaths().run)


def kept(state: Path, edit: Edit) -> FileBackup:
    return backup_of(state, edit.file.path, "proxy", SUBNET)


def modes(folder: Path) -> set[int]:
    return {each.stat().st_mode & 0o777 for each in folder.iterdir()}


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b.invalid", "-c", "init.defaultBranch=main")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True, timeout=60)


@pytest.mark.process
async def test_an_edit_keeps_mode_owner_and_everything_else(repository: Path, state: Path) -> None:
    path = repository / "nix/modules/swarm.nix"
    path.chmod(0o640)
    os.chown(path, *AS_NOBODY)
    edit = await snapshot(repository)
    kept(state, edit).change(edit.file, edit.new)
    about = path.stat()
    assert path.read_bytes() == EDITED
    assert (about.st_mode & 0o7777, about.st_uid, about.st_gid) == (0o640, *AS_NOBODY)
    assert [each.name for each in path.parent.iterdir()] == ["swarm.nix"]
    assert kept(state, edit).original.read_bytes() == SOURCE
    assert modes(state) == {0o600}


@pytest.mark.process
async def test_the_diff_is_shown_and_is_one_line(repository: Path) -> None:
    edit = await snapshot(repository)
    changed = [each for each in edit.diff if each[0] in "+-" and each[:3] not in ("+++", "---")]
    assert changed == [
        "-      docker network create --driver overlay --attachable proxy",
        "+      docker network create --driver overlay --attachable --subnet 10.10.0.0/16 proxy",
    ]


def test_a_diff_shows_nothing_raw(tmp_path: Path) -> None:
    path = tmp_path / "a.nix"
    path.write_bytes(b"{ }\t# \x1b[2J\r\n")
    (shown,) = [
        each for each in unified_diff(read_nix_file(path, tmp_path), b"{ }\r\n") if each.startswith("-{")
    ]
    assert shown == "-{ }    # \\x1b[2J"


@pytest.mark.process
@pytest.mark.parametrize(
    ("written", "says"),
    [
        (
            "x:\n~/${x}\n",
            "Nix can read line 2, but this program cannot. Add `--subnet 10.10.0.0/16` by hand",
        ),
        ("x:\n{ a = ; }\n", "Nix cannot read it: syntax error, unexpected ';' (line 2). Fix the file"),
    ],
)
async def test_what_cannot_be_read_is_told_from_what_is_no_nix(
    repository: Path, written: str, says: str
) -> None:
    path = repository / "nix/modules/swarm.nix"
    path.write_text(written)
    edit = await snapshot(repository)
    assert (edit.is_needed, edit.new) == (False, written.encode())
    assert says in edit.refusal
    without = await inspect_edit("nix/modules/swarm.nix", repository, "proxy", SUBNET, no_nix)
    assert "This program cannot read line 2. Nix could not check it. No such command." in without.refusal


async def no_nix(_argv: Sequence[str], _within_s: float) -> bytes:
    raise HostError("No such command.")


@pytest.mark.process
async def test_an_edit_that_was_made_is_not_made_again(repository: Path, state: Path) -> None:
    edit = await snapshot(repository)
    kept(state, edit).change(edit.file, edit.new)
    again = await snapshot(repository)
    assert (again.reading.verdict, again.is_needed, again.new, again.diff) == (
        SubnetVerdict.PRESENT,
        False,
        EDITED,
        (),
    )


@pytest.mark.process
async def test_the_original_comes_back_byte_by_byte_and_only_once(repository: Path, state: Path) -> None:
    path = repository / "nix/modules/swarm.nix"
    crlf = b'{\r\n  a = "docker network create -d overlay proxy";\r\n}'
    path.write_bytes(crlf)
    path.chmod(0o604)
    edit = await snapshot(repository)
    kept(state, edit).change(edit.file, edit.new)
    assert path.read_bytes().count(b"\r\n") == crlf.count(b"\r\n")
    path.chmod(0o600)
    assert kept(state, edit).restore()
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (crlf, 0o604)
    assert not kept(state, edit).restore()


@pytest.mark.process
async def test_what_was_never_changed_needs_no_restoring(repository: Path, state: Path) -> None:
    edit = await snapshot(repository)
    assert not kept(state, edit).restore()


@pytest.mark.process
async def test_what_somebody_edited_since_is_not_thrown_away(repository: Path, state: Path) -> None:
    path = repository / "nix/modules/swarm.nix"
    edit = await snapshot(repository)
    kept(state, edit).change(edit.file, edit.new)
    path.write_bytes(EDITED + b"# mine\n")
    with pytest.raises(Declined, match="Somebody else has changed") as raised:
        kept(state, edit).restore()
    assert str(kept(state, edit).original) in raised.value.hint
    assert path.read_bytes() == EDITED + b"# mine\n"


@pytest.mark.process
async def test_what_somebody_edited_between_look_and_edit_is_not_written_over(
    repository: Path, state: Path
) -> None:
    path = repository / "nix/modules/swarm.nix"
    edit = await snapshot(repository)
    path.write_bytes(SOURCE + b"# mine\n")
    with pytest.raises(Declined, match="Somebody else has changed"):
        kept(state, edit).change(edit.file, edit.new)
    assert path.read_bytes() == SOURCE + b"# mine\n"


@pytest.mark.process
async def test_a_kept_original_that_was_damaged_is_not_put_back(repository: Path, state: Path) -> None:
    edit = await snapshot(repository)
    kept(state, edit).change(edit.file, edit.new)
    kept(state, edit).original.write_bytes(b"{ }")
    with pytest.raises(HostError, match="is not the original"):
        kept(state, edit).restore()
    assert edit.file.path.read_bytes() == EDITED


@pytest.mark.process
async def test_a_write_that_fails_leaves_the_file_as_it_was(
    repository: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit = await snapshot(repository)
    calls = 0
    real = os.fsync

    def full(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 5:  # after the original and its note, each a file and a folder
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(HostError, match="No space left on device"):
        kept(state, edit).change(edit.file, edit.new)
    assert edit.file.path.read_bytes() == SOURCE
    assert [each.name for each in edit.file.path.parent.iterdir()] == ["swarm.nix"]


@pytest.mark.process
async def test_a_link_within_the_repository_stays_a_link(repository: Path, state: Path) -> None:
    (repository / "swarm.nix").symlink_to("nix/modules/swarm.nix")
    edit = await snapshot(repository, "swarm.nix")
    kept(state, edit).change(edit.file, edit.new)
    assert (repository / "swarm.nix").readlink() == Path("nix/modules/swarm.nix")
    assert (repository / "nix/modules/swarm.nix").read_bytes() == EDITED


def test_a_link_that_leaves_the_repository_is_refused(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.nix").write_bytes(SOURCE)
    (repository / "swarm.nix").symlink_to(tmp_path / "elsewhere.nix")
    for path in ("swarm.nix", "../elsewhere.nix", str(tmp_path / "elsewhere.nix")):
        with pytest.raises(Declined, match="outside the repository"):
            read_nix_file(Path(path), repository)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _huge(path: Path) -> None:
    path.write_bytes(b" " * (LIMIT_BYTES + 1))


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (Path, "x.nix not found"),
        (_loop, "cannot be read|circle"),
        (Path.mkdir, "cannot be read|is not a file"),
        (os.mkfifo, "is not a file"),
        (_huge, "is larger than"),
    ],
)
def test_what_is_no_file_that_can_be_edited_is_an_error(
    tmp_path: Path, make: Callable[[Path], object], why: str
) -> None:
    make(tmp_path / "x.nix")
    with pytest.raises((HostError, Declined), match=why):
        read_nix_file(Path("x.nix"), tmp_path)


async def test_git_tells_what_is_not_committed_and_what_a_flake_does_not_see(repository: Path) -> None:
    path = repository / "nix/modules/swarm.nix"
    run = NixosPaths().run
    assert await git_state(path, run) == "swarm.nix is not in a git repository."
    git(repository, "init", "-q")
    assert "a flake does not see it" in str(await git_state(path, run))
    git(repository, "add", "nix/modules/swarm.nix")
    git(repository, "commit", "-qm", "first")
    assert await git_state(path, run) == ""
    (repository / "other").write_text("x")
    assert await git_state(path, run) == ""
    path.write_bytes(SOURCE + b"\n")
    assert await git_state(path, run) == "swarm.nix has uncommitted changes."
    (repository / ".gitignore").write_text("*.nix\n")
    git(repository, "rm", "-q", "--cached", "nix/modules/swarm.nix")
    git(repository, "commit", "-qam", "second")
    assert "a flake does not see it" in str(await git_state(path, run))


async def test_a_repository_of_another_user_is_told_with_what_helps(repository: Path) -> None:
    git(repository, "init", "-q")
    os.chown(repository, *AS_NOBODY)
    os.chown(repository / ".git", *AS_NOBODY)
    said = await git_state(repository / "nix/modules/swarm.nix", NixosPaths().run)
    assert isinstance(said, Unknown)
    assert "git config --global --add safe.directory" in said.hint


async def test_looking_at_a_repository_writes_nothing_into_it(repository: Path) -> None:
    git(repository, "init", "-q")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "first")
    # What git could refresh in its index, if it were allowed to.
    (repository / "nix/modules/swarm.nix").touch()
    before = {each: each.stat().st_mtime_ns for each in (repository / ".git").rglob("*") if each.is_file()}
    edit = await snapshot(repository)
    after = {each: each.stat().st_mtime_ns for each in (repository / ".git").rglob("*") if each.is_file()}
    assert (edit.git, after) == ("", before)


async def test_the_command_that_commits_is_told_and_works(repository: Path, state: Path) -> None:
    git(repository, "init", "-q")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "first")
    edit = await snapshot(repository)
    kept(state, edit).change(edit.file, edit.new)
    command = commit_command(edit, "proxy", SUBNET)
    who = [f"GIT_{role}_{what}=a" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]
    await NixosPaths().run((*who, "sh", "-c", command), 60)
    assert await git_state(edit.file.path, NixosPaths().run) == ""


def test_a_digest_is_sha_256() -> None:
    assert digest_of(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
