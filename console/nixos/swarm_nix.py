"""Finds the command in a Nix file that creates an overlay network, and gives it a subnet.

It is pure: it takes the bytes of a file and returns bytes. A command is only touched when it is certain that it is the
one: the only one that creates an overlay of that name, with every argument known.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError

from console.nixos.creation import Creation, creations
from console.nixos.source import UNKNOWN, NixSource
from console.text import clean, listed

_WITHIN = ("gateway", "ip-range", "aux-address")


class Verdict(StrEnum):
    """What a file says about the subnet of a network."""

    ABSENT = "absent"
    """It creates the network without a subnet."""
    PRESENT = "present"
    """It creates it with the wanted subnet."""
    CONFLICT = "conflict"
    """It creates it with another one."""
    SEVERAL = "several candidates"
    """More than one command creates it."""
    UNCLEAR = "unclear"
    """A command may create it, but its name or its arguments are known only when it runs."""
    NONE = "none"
    """Nothing in it creates the network."""
    BROKEN = "broken"
    """It cannot be read."""


@dataclass(frozen=True, slots=True)
class Insertion:
    """What is to be put into a file, and before which byte."""

    place: int
    words: tuple[str, ...]
    is_list: bool

    @property
    def text(self) -> str:
        """As it is written into the file."""
        return "".join(f'"{each}" ' for each in self.words) if self.is_list else " ".join((*self.words, ""))


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found in a file."""

    verdict: Verdict
    sentence: str
    hint: str = ""
    lines: tuple[int, ...] = ()
    """Where, first line first; lines begin with 1."""
    notes: tuple[str, ...] = ()
    """Commands that were passed over although they look alike, each a sentence."""
    insertion: Insertion | None = None
    """For `ABSENT`."""


def read(data: bytes, network: str, subnet: IPv4Network) -> Reading:
    """Return what a Nix file says about the subnet of an overlay network."""
    source = NixSource(data)
    broken = source.broken_line()
    if broken is not None:
        hint = "`nix-instantiate --parse` says whether Nix can."
        return Reading(Verdict.BROKEN, f"This program cannot read line {broken}.", hint, (broken,))
    mine: list[Creation] = []
    doubts: dict[int, str] = {}
    notes: list[str] = []
    for each in sorted(creations(source), key=lambda each: each.place):
        line = source.line(each.place)
        if _is_another(each, network):
            continue
        if doubt := _doubt(each):
            doubts[line] = f"Line {line} creates a network, but its {doubt}."
        elif not each.values("driver"):
            notes.append(f"Line {line} creates a bridge named {network}, not an overlay, and is left alone.")
        else:
            mine.append(each)
    if not mine and doubts:
        hint = "Add the subnet by hand, where that is decided."
        return Reading(Verdict.UNCLEAR, " ".join(doubts.values()), hint, tuple(doubts), tuple(notes))
    if not mine:
        return _nothing(data, network, tuple(notes))
    notes.extend(doubts.values())
    lines = tuple(source.line(each.place) for each in mine)
    verdicts = [_judged(each, line, network, subnet) for each, line in zip(mine, lines, strict=True)]
    if all(each.verdict is Verdict.PRESENT for each in verdicts):
        return replace(verdicts[0], lines=lines, notes=tuple(notes))
    if len(mine) > 1:
        where = listed([str(each) for each in lines])
        return Reading(
            Verdict.SEVERAL,
            f"{len(mine)} commands create the overlay {network}: lines {where}.",
            f"Only one can be changed safely. Add `--subnet {subnet}` by hand where it belongs.",
            lines,
            tuple(notes),
        )
    return replace(verdicts[0], notes=tuple(notes))


def edited(data: bytes, insertion: Insertion) -> bytes:
    """Return the file with the insertion made; nothing else is changed."""
    return data[: insertion.place] + insertion.text.encode() + data[insertion.place :]


def _is_another(creation: Creation, network: str) -> bool:
    """Whether a command surely creates something else than the overlay."""
    drivers = creation.values("driver")
    if drivers and drivers[-1] != "overlay" and UNKNOWN not in drivers[-1]:
        return True
    return bool(creation.names) and not any(_could_be(each.text, network) for each in creation.names)


def _could_be(written: str, name: str) -> bool:
    # `pre-${x}` can never be `proxy`.
    first, *rest = written.split(UNKNOWN)
    return name.startswith(first) and name.endswith(rest[-1]) if rest else written == name


def _doubt(creation: Creation) -> str:
    """Return what keeps a command from being known as the one, as what follows "its", or nothing."""
    if not creation.names:
        return "name does not stand in the same text"
    if not creation.names[0].is_known:
        return "name comes from an expression"
    if any(UNKNOWN in each for each in creation.values("driver")):
        return "driver comes from an expression"
    if creation.values("config-from"):
        return "settings come from a configuration network"
    return creation.trouble


def _nothing(data: bytes, network: str, notes: tuple[str, ...]) -> Reading:
    mentions = [
        str(number)
        for number, line in enumerate(data.splitlines(), 1)
        if b"network create" in line and network.encode() in line
    ]
    hint = "Name the file that holds the `docker network create`."
    if mentions:
        hint += f" Here it only stands where nothing runs it as it is: line {listed(mentions)}."
    return Reading(Verdict.NONE, f"Nothing in it creates the overlay {network}.", hint, notes=notes)


def _judged(creation: Creation, line: int, network: str, subnet: IPv4Network) -> Reading:
    lines = (line,)
    written = creation.values("subnet")
    told = [*written, *(value.rpartition("=")[2] for name in _WITHIN for value in creation.values(name))]
    if any(UNKNOWN in each for each in told):
        return Reading(
            Verdict.UNCLEAR,
            f"Line {line} creates {network}, but its addresses come from an expression.",
            f"Change them to {subnet} where that is decided.",
            lines,
        )
    # An overlay may have an IPv6 subnet beside it.
    mine = [each for each in written if ":" not in each]
    if [_network(each) for each in mine] == [subnet]:
        return Reading(Verdict.PRESENT, f"Line {line} already creates {network} as {subnet}.", lines=lines)
    if mine:
        said = listed([clean(each) for each in mine])
        return Reading(
            Verdict.CONFLICT,
            f"Line {line} creates {network} as {said}, not as {subnet}.",
            "Change it by hand, or ask for that subnet.",
            lines,
        )
    for name in _WITHIN:
        for value in creation.values(name):
            if ":" not in value and not _lies_in(value.rpartition("=")[2], subnet):
                return Reading(
                    Verdict.CONFLICT,
                    f"Line {line} creates {network} with --{name} {clean(value)}, which is not in {subnet}.",
                    "Change it by hand, or ask for another subnet.",
                    lines,
                )
    return Reading(
        Verdict.ABSENT,
        f"Line {line} creates {network} without a subnet.",
        lines=lines,
        insertion=Insertion(creation.names[0].place, ("--subnet", str(subnet)), creation.is_list),
    )


def _network(text: str) -> IPv4Network | None:
    try:
        return IPv4Network(text, strict=False)
    except (AddressValueError, NetmaskValueError, ValueError):
        return None


def _lies_in(text: str, subnet: IPv4Network) -> bool:
    inner = _network(text)
    return inner is not None and inner.subnet_of(subnet)
