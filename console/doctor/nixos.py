"""Examines the NixOS configuration: whether the file that creates the network can be edited, now, exactly."""

import os
import shutil
from collections.abc import Iterator
from ipaddress import IPv4Network

from console.doctor.values import DoctorArea, Examination, Patient, passed, unexamined, warned
from console.errors import Declined, HostError, Unknown
from console.host.root import under_root
from console.nixos.edit import Edit, inspect_edit
from console.nixos.file import PLACES, NixosPaths
from console.nixos.rebuild import flake_folder
from console.nixos.swarm_nix import SubnetVerdict
from console.settings import Nixos
from console.text import SENTENCE_LIMIT, clean

AREA = DoctorArea.NIXOS
_SETTINGS = "Set `repository`, `file` and `flake` in [nixos] of the settings."


async def examine_nixos(patient: Patient, places: NixosPaths = PLACES) -> tuple[Examination, ...]:
    """Return what was found of the file that creates a network, and of the edit that would give it a subnet. Reads only."""
    nixos, network, subnet = patient.settings.nixos, patient.settings.network, patient.subnet
    if not places.is_nixos:
        return (passed(AREA, "file", "This is not NixOS: no configuration has to follow a new subnet."),)
    try:
        edit = await inspect_edit(nixos.file, under_root(nixos.repository), network, subnet, places.run)
    except (Declined, HostError) as error:
        return (warned(AREA, "file", error.sentence, error.hint or _SETTINGS),)
    return (_edit(edit, subnet), *_git(edit), *_means(edit, nixos, places))


def _edit(edit: Edit, subnet: IPv4Network) -> Examination:
    path = clean(str(edit.file.path), SENTENCE_LIMIT)
    if edit.reading.verdict is SubnetVerdict.PRESENT:
        return passed(AREA, "file", f"{path} already creates the network as {subnet}.")
    if edit.refusal:
        return warned(AREA, "file", f"{path}: {edit.reading.sentence}", edit.reading.hint or _SETTINGS)
    line = next((line for line in edit.diff if line.startswith("+") and not line.startswith("+++")), "")
    sentence = f"{path} can be given {subnet} by one exact edit: {clean(line[1:].strip(), SENTENCE_LIMIT)}"
    if isinstance(edit.nix, Unknown):
        return warned(
            AREA,
            "file",
            f"{sentence}. Nix did not check it: {edit.nix.reason}",
            edit.nix.hint or "Run this on the NixOS host itself, where Nix is.",
        )
    return passed(AREA, "file", sentence)


def _means(edit: Edit, nixos: Nixos, places: NixosPaths) -> Iterator[Examination]:
    """Yield what keeps a run from writing the file, or from building the system."""
    path = clean(str(edit.file.path), SENTENCE_LIMIT)
    try:
        is_fixed = bool(os.statvfs(edit.file.path).f_flag & os.ST_RDONLY)
    except OSError as error:
        yield unexamined(
            AREA, "writing", Unknown(f"Whether {path} can be written is not known: {error.strerror}.")
        )
    else:
        if is_fixed:
            hint = f"`findmnt -T {path}`, then mount it for writing."
            yield warned(AREA, "writing", f"{path} is on a file system that is mounted read-only.", hint)
    if shutil.which("nixos-rebuild", path=places.path) is None:
        yield warned(
            AREA,
            "nixos-rebuild",
            "The command `nixos-rebuild` is not on this host: no run can build its system.",
            f"`ls -l /run/current-system/sw/bin/nixos-rebuild`. Commands are searched in {clean(places.path)}.",
        )
    try:
        folder = flake_folder(nixos.flake, under_root(nixos.repository))
    except Declined as error:
        yield warned(AREA, "flake", error.sentence, error.hint)
        return
    # Nix looks for the file in the folders above, too.
    if folder is not None and not any((place / "flake.nix").is_file() for place in (folder, *folder.parents)):
        yield warned(
            AREA,
            "flake",
            f"There is no flake.nix in {clean(str(folder), 300)}: nothing can be built.",
            _SETTINGS,
        )


def _git(edit: Edit) -> Iterator[Examination]:
    if isinstance(edit.git, Unknown):
        yield unexamined(AREA, "git", edit.git)
    elif edit.git:
        folder = clean(str(edit.file.path.parent), 300)
        yield warned(AREA, "git", edit.git, f"`git -C {folder} status`; commit or add the file before a run.")
    else:
        yield passed(AREA, "git", "The file is committed as it is.")
