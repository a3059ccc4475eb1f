"""Nix files: the edit puts one option into them, or is refused."""

import asyncio
from collections.abc import Sequence
from ipaddress import IPv4Network
from pathlib import Path

from hypothesis import strategies as st

from console.errors import Declined, HostError, VipconsoleError
from console.nixos.edit import Edit, inspect_edit, parse_with_nix
from console.nixos.file import NixosPaths
from console.nixos.swarm_nix import SubnetVerdict
from tests.fuzz.mutations import Draw, broken, chosen
from tests.fuzz.program import Misbehaved
from tests.nixos.table import CASES

SUBNET = IPv4Network("10.10.0.0/16")
NIX = (
    "''${x}", "'''", "''\\n", "$${x}", "${x}", "\r\n", "# a comment\n", "/* a */", "\\\n", '"', "''", ";", "{", "}", "(", ")", "docker network create proxy", "--subnet 10.10.0.0/16", "--subnet=10.0.1.0/24", " proxy ", "\t", "<<EOF\n", "EOF\n",
    "|| true", "&& ", "$(", ")", "`", "'", "let x = 1; in ", "rec ", "with pkgs; ", "\x00", "\ufeff", "\xe9", "--gateway 10.0.1.1", "\ue000", '[ "docker" "network" "create" "proxy" ]', "description = ''docker network create proxy'';", "if true; then ", "fi",
)  # fmt: skip


def nix(draw: Draw, folder: Path) -> None:
    """The edit of a Nix file puts one option into it and changes nothing else, or is refused."""
    data = chosen(draw, CASES).before
    if draw(st.integers(0, 4)) == 0:
        data = broken(draw, data, 2)
    else:
        for _ in range(draw(st.integers(0, 3))):
            at = draw(st.integers(0, len(data)))
            data = data[:at] + chosen(draw, NIX).encode() + data[at:]
    if draw(st.integers(0, 9)) == 0:
        data = data.replace(b"\n", b"\r\n")
    (folder / "swarm.nix").write_bytes(data)
    asks_nix = draw(st.integers(0, 7)) == 0
    try:
        edit = asyncio.run(_edit(folder, asks_nix=False))
    except VipconsoleError:
        return
    if (folder / "swarm.nix").read_bytes() != data:
        raise Misbehaved("looking has changed the file")
    if not edit.is_needed:
        if edit.new != data:
            raise Misbehaved("nothing is needed, and yet something is new")
        return
    _require_same_but_for_subnet(edit, data)
    (folder / "swarm.nix").write_bytes(edit.new)
    if asyncio.run(_edit(folder, asks_nix=False)).reading.verdict is not SubnetVerdict.PRESENT:
        raise Misbehaved("a second edit would do it again")
    if asks_nix:
        (folder / "swarm.nix").write_bytes(data)
        asyncio.run(_ask_nix(folder, data, edit))


def _require_same_but_for_subnet(edit: Edit, data: bytes) -> None:
    insertion = edit.reading.insertion
    if insertion is None:
        raise Misbehaved("an edit without a place")
    added = len(edit.new) - len(data)
    if edit.new[: insertion.place] + edit.new[insertion.place + added :] != data:
        raise Misbehaved("more than an insertion")
    piece = edit.new[insertion.place : insertion.place + added].decode()
    if piece.translate(str.maketrans("", "", ' "')) != "--subnet10.10.0.0/16":
        raise Misbehaved(f"{piece!r} was inserted")


async def _edit(folder: Path, *, asks_nix: bool) -> Edit:
    return await inspect_edit("swarm.nix", folder, "proxy", SUBNET, NixosPaths().run if asks_nix else _no_nix)


async def _no_nix(_words: Sequence[str], _within_s: float) -> bytes:
    raise HostError("No such command.")


async def _ask_nix(folder: Path, data: bytes, edit: Edit) -> None:
    """Nix itself must be able to read the new file where it can read the old one, or the edit is refused."""
    run_command = NixosPaths().run
    try:
        await parse_with_nix(data, run_command)
    except VipconsoleError:
        try:
            await _edit(folder, asks_nix=True)
        except Declined:
            return
        raise Misbehaved("Nix cannot read it, and it is edited") from None
    try:
        await parse_with_nix(edit.new, run_command)
    except Declined as error:
        raise Misbehaved(f"the edit breaks the file: {error.sentence}") from error
    await _edit(folder, asks_nix=True)
