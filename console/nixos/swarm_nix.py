"""Finds the command in a Nix file that creates an overlay network, and gives it a subnet.

It is pure: it takes the bytes of a file and returns bytes. A command is only edited when it is certain that it is the
one: the only one that creates an overlay of that name, with every argument known.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError

from console.frozen import frozen
from console.nixos.creation import NetworkCreateCommand, Use, find_creations
from console.nixos.source import UNKNOWN, NixSource
from console.text import clean, listed

_WITHIN = ("gateway", "ip-range", "aux-address")


class SubnetVerdict(StrEnum):
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


@frozen
class Insertion:
    """What is to be put into a file, and before which byte."""

    place: int
    words: tuple[str, ...]
    is_list: bool

    @property
    def text(self) -> str:
        """As it is written into the file."""
        return "".join(f'"{word}" ' for word in self.words) if self.is_list else " ".join((*self.words, ""))


@frozen
class NetworkSetting:
    """What was found in a file."""

    verdict: SubnetVerdict
    sentence: str
    hint: str = ""
    lines: tuple[int, ...] = ()
    """Line numbers in ascending order; the first line is 1."""
    notes: tuple[str, ...] = ()
    """Commands that look alike and were skipped, each a sentence."""
    insertion: Insertion | None = None
    """For `ABSENT`."""


def read(data: bytes, network: str, subnet: IPv4Network) -> NetworkSetting:
    """Return what a Nix file says about the subnet of an overlay network."""
    source = NixSource(data)
    line = source.first_unreadable_line()
    if line is not None:
        hint = "`nix-instantiate --parse` says whether Nix can."
        return NetworkSetting(SubnetVerdict.BROKEN, f"This program cannot read line {line}.", hint, (line,))
    statements = _sort_statements(source, network)
    lines = tuple(source.line(command.place) for command in statements.mine)
    verdicts = [
        _judge(command, line, network, subnet) for command, line in zip(statements.mine, lines, strict=True)
    ]
    notes, objections = tuple(statements.notes.values()), tuple(statements.objections.values())
    if verdicts and all(verdict.verdict is SubnetVerdict.PRESENT for verdict in verdicts):
        return replace(verdicts[0], lines=lines, notes=(*notes, *objections, *statements.opaque.values()))
    if statements.opaque or (objections and not verdicts):
        unclear = statements.opaque if verdicts else {**statements.objections, **statements.opaque}
        hint = "Add the subnet by hand where the expression is defined."
        sentences = " ".join(unclear[number] for number in sorted(unclear))
        return NetworkSetting(SubnetVerdict.UNCLEAR, sentences, hint, tuple(sorted(unclear)), notes)
    if not verdicts:
        return _nothing(data, network, statements)
    if len(verdicts) > 1:
        where = listed([str(line) for line in lines])
        return NetworkSetting(
            SubnetVerdict.SEVERAL,
            f"{len(verdicts)} commands create the overlay {network}: lines {where}.",
            f"Only one command can be edited safely. Add `--subnet {subnet}` by hand where it belongs.",
            lines,
            (*notes, *objections),
        )
    return replace(verdicts[0], notes=(*notes, *objections))


def insert(data: bytes, insertion: Insertion) -> bytes:
    """Return the file with the insertion made; nothing else is changed."""
    return data[: insertion.place] + insertion.text.encode() + data[insertion.place :]


@dataclass(slots=True)
class _Statements:
    """What is known of each line that creates a network, or speaks of it: one sentence a line."""

    mine: list[NetworkCreateCommand] = field(default_factory=list)
    """The commands that create the overlay; each gets its verdict later."""
    objections: dict[int, str] = field(default_factory=dict)
    """Commands that may create it."""
    opaque: dict[int, str] = field(default_factory=dict)
    """Texts that may create it, in a way that is not understood: beside one of these no command is edited."""
    notes: dict[int, str] = field(default_factory=dict)
    """Lines that look alike and are left alone."""
    others: dict[int, str] = field(default_factory=dict)
    """Commands that surely create something else."""


def _sort_statements(source: NixSource, network: str) -> _Statements:
    commands = find_creations(source)
    statements = _Statements()
    for creation in commands.creations:
        line = source.line(creation.place)
        if _is_another(creation, network):
            statements.others[line] = _describe_other(creation, line, network)
        elif refusal := _refusal(creation):
            statements.objections[line] = f"Line {line} creates a network, but its {refusal}."
        elif not creation.values("driver"):
            statements.notes[line] = (
                f"Line {line} creates a bridge named {network}, not an overlay, so it is left alone."
            )
        else:
            statements.mine.append(creation)
    for mention in commands.mentions:
        line = source.line(mention.place)
        if mention.use is Use.UNCLEAR and mention.may_create(network):
            statements.opaque[line] = (
                f"Line {line} may create {network}, but this program does not understand how."
            )
        elif mention.use is Use.OUTPUT and mention.names(network):
            note = f"Line {line} only prints how to create {network}, so it is left alone."
            statements.notes.setdefault(line, note)
    return statements


def _is_another(creation: NetworkCreateCommand, network: str) -> bool:
    """Whether a command surely creates something else than the overlay."""
    drivers = creation.values("driver")
    if drivers and drivers[-1] != "overlay" and UNKNOWN not in drivers[-1]:
        return True
    return bool(creation.names) and not any(_could_be(name.text, network) for name in creation.names)


def _could_be(text: str, name: str) -> bool:
    # `pre-${x}` can never be `proxy`.
    first, *rest = text.split(UNKNOWN)
    return name.startswith(first) and name.endswith(rest[-1]) if rest else text == name


def _refusal(creation: NetworkCreateCommand) -> str:
    """Return what keeps a command from being known as the one, as what follows "its", or nothing."""
    if not creation.names:
        return "name is not in the same text"
    if not creation.names[0].is_known:
        return "name comes from an expression"
    if any(UNKNOWN in driver for driver in creation.values("driver")):
        return "driver comes from an expression"
    if creation.values("config-from"):
        return "settings come from a configuration network"
    return creation.trouble


def _describe_other(creation: NetworkCreateCommand, line: int, network: str) -> str:
    if any(name.text == network for name in creation.names):
        driver = clean(creation.values("driver")[-1])
        return f"Line {line} creates {network} with the driver {driver}, not as an overlay."
    names = listed([clean(name.text.replace(UNKNOWN, "…")) for name in creation.names])
    return f"Line {line} creates {names or 'another network'}, not {network}."


def _nothing(data: bytes, network: str, statements: _Statements) -> NetworkSetting:
    mentions = [
        number
        for number, line in enumerate(data.split(b"\n"), 1)
        if b"network create" in line and network.encode() in line
    ]
    sentences = {
        **{line: statements.others[line] for line in mentions if line in statements.others},
        **statements.notes,
    }
    hint = "Name the file that holds the `docker network create`."
    idle = [str(line) for line in mentions if line not in sentences]
    if idle:
        hint += f" Only line {listed(idle)} mentions it, and nothing runs that line as it is."
    notes = tuple(sentences[line] for line in sorted(sentences))
    return NetworkSetting(
        SubnetVerdict.NONE, f"Nothing in it creates the overlay {network}.", hint, notes=notes
    )


def _judge(creation: NetworkCreateCommand, line: int, network: str, subnet: IPv4Network) -> NetworkSetting:
    lines = (line,)
    subnets = creation.values("subnet")
    addresses = [*subnets, *(value.rpartition("=")[2] for name in _WITHIN for value in creation.values(name))]
    if any(UNKNOWN in address for address in addresses):
        return NetworkSetting(
            SubnetVerdict.UNCLEAR,
            f"Line {line} creates {network}, but its addresses come from an expression.",
            f"Change them to {subnet} where the expression is defined.",
            lines,
        )
    # An overlay may have an IPv6 subnet beside it.
    ipv4_subnets = [address for address in subnets if ":" not in address]
    if [_network(address) for address in ipv4_subnets] == [subnet]:
        return NetworkSetting(
            SubnetVerdict.PRESENT, f"Line {line} already creates {network} as {subnet}.", lines=lines
        )
    if ipv4_subnets:
        subnet_names = listed([clean(address) for address in ipv4_subnets])
        return NetworkSetting(
            SubnetVerdict.CONFLICT,
            f"Line {line} creates {network} as {subnet_names}, not as {subnet}.",
            "Change it by hand, or choose that subnet.",
            lines,
        )
    for name in _WITHIN:
        for value in creation.values(name):
            if ":" not in value and not _lies_in(value.rpartition("=")[2], subnet):
                return NetworkSetting(
                    SubnetVerdict.CONFLICT,
                    f"Line {line} creates {network} with --{name} {clean(value)}, which is not in {subnet}.",
                    "Change it by hand, or choose another subnet.",
                    lines,
                )
    return NetworkSetting(
        SubnetVerdict.ABSENT,
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
