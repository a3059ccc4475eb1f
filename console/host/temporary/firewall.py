"""Opens this host's firewall for the cable of a temporary manager, keeps the cable apart from all else, and undoes it.

Only rules that name the cable's interface are written, and by that name they are found again. Rules are added to what is
there: a table that does not exist lets everything pass, and to make one would leave it behind. `nft` has a table of its
own besides, which drops what would be passed on from or to the cable, and what would look for its far end elsewhere.
"""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from console.errors import HostError
from console.frozen import frozen
from console.host.process import MALFORMED_HINT, CommandFailed, output_of
from console.host.reader import Run
from console.host.temporary.values import Cable

TABLE = "vipconsole_temporary"
"""nft's table that keeps the cable apart; it is of the family `ip`: IPv6 is not spoken over the cable."""
TIMEOUT_S = 20.0
_LOCK_WAIT = ("-w", "10")
"""Others change rules too, dockerd above all: for so many seconds their lock is waited for."""
_COMMANDS = ("iptables", "iptables-nft", "iptables-legacy", "nft")
_WHICH = ("/bin/sh", "-c", f'for name in {" ".join(_COMMANDS)}; do command -v "$name" || :; done')
_NFT = "nf_tables"
_WITHOUT_KERNEL = ("not supported", "No such file or directory", "Could not fetch rule set generation")
"""How nft complains of a kernel that has no nftables."""
_ACCEPT, _DROP = "ACCEPT", "DROP"
_OPENED = ("input", "output")
_FAMILIES = ("ip", "inet")


@frozen
class _Rule:
    """A rule that names the interface, with the command that deletes it."""

    text: str
    delete: tuple[str, ...]


@frozen
class _Filter:
    """The table `filter` of iptables, as one of its commands sees it."""

    command: str
    policies: Mapping[str, str]
    """Of each chain what becomes of a packet that no rule of it takes."""
    rules: tuple[tuple[str, ...], ...]
    """Each as the words after `iptables`, the first of them `-A`."""

    def passes_all(self, chain: str) -> bool:
        """Whether a chain says nothing; one that is not there at all looks the same, and a rule would make it."""
        return self.policies.get(chain, _ACCEPT) == _ACCEPT and not any(
            rule[1] == chain for rule in self.rules
        )


@frozen
class _State:
    """All that filters on this host."""

    filters: tuple[_Filter, ...]
    ruleset: tuple[dict[str, Any], ...] | None
    """nft's objects; None where there is no nft, or a kernel without nftables."""
    owned: frozenset[str]
    """The chains of nft's table `ip filter` that iptables shows too, and which are left to it.

    Somebody may have made a table of that name by hand, with other chains.
    """

    @property
    def has_own_table(self) -> bool:
        return any(_is_own_table(item) for item in self.ruleset or ())

    def rules(self, interface: str) -> Iterator[_Rule]:
        """Yield every rule that names the interface, but for those of our own table."""
        for table in self.filters:
            for words in table.rules:
                if _names(words, interface):
                    delete = (table.command, *_LOCK_WAIT, "-D", *words[1:])
                    yield _Rule(f"{table.command} {shlex.join(words)}", delete)
        for item in self.ruleset or ():
            rule = item.get("rule")
            if rule is None or not _matches(rule, interface) or rule["table"] == TABLE:
                continue
            place = (rule["family"], rule["table"], rule["chain"])
            if not self._is_owned(*place):
                handle = str(rule["handle"])
                delete = ("nft", "delete", "rule", *place, "handle", handle)
                yield _Rule(f"nft {' '.join(place)} handle {handle}", delete)

    def base_chains(self) -> Iterator[tuple[str, str, str, str]]:
        """Yield family, table, name and hook of nft's chains that filter what comes in or goes out."""
        for item in self.ruleset or ():
            chain = item.get("chain", {})
            if chain.get("type") != "filter" or chain.get("hook") not in _OPENED or chain["table"] == TABLE:
                continue
            place = (chain["family"], chain["table"], chain["name"])
            if place[0] in _FAMILIES and not self._is_owned(*place):
                yield *place, chain["hook"]

    def _is_owned(self, family: str, table: str, chain: str) -> bool:
        return (family, table) == ("ip", "filter") and chain in self.owned


class Firewall:
    """The firewall of one host, as far as one interface goes."""

    def __init__(self, interface: str, run: Run = output_of) -> None:
        self._interface, self._run = interface, run

    async def open(self, cable: Cable) -> None:
        """Let the two managers speak over the cable, and nobody else; rules that are there already are replaced.

        Raises HostError where a rule cannot be written; those that were written stay until `close`.
        """
        state = await self._read()
        if state.ruleset is not None:
            await self._do(_own_table(self._interface, cable))
        for table in state.filters:
            for chain, rule in _iptables_rules(self._interface, cable):
                # Without nft it is this table alone that keeps the cable apart.
                is_needed = rule[-1] == _DROP and state.ruleset is None
                if is_needed or not table.passes_all(chain):
                    await self._do((table.command, *_LOCK_WAIT, "-I", chain, "1", *rule))
        for *place, hook in state.base_chains():
            await self._do(("nft", "insert", "rule", *place, *_nft_rule(self._interface, cable, hook)))
        # The new ones are there: at no time a running manager is cut off.
        for old in state.rules(self._interface):
            await self._do(old.delete)

    async def close(self) -> None:
        """Remove every rule that names the interface, however many there are. Raises HostError where one stays."""
        state = await self._read()
        for rule in state.rules(self._interface):
            await self._do(rule.delete)
        if state.has_own_table:
            await self._do(("nft", "delete", "table", "ip", TABLE))

    async def leftovers(self) -> tuple[str, ...]:
        """Return the rules that name the interface, as a person reads them. Raises HostError."""
        state = await self._read()
        rules = [f"firewall rule: {rule.text}" for rule in state.rules(self._interface)]
        return (*rules, *([f"nftables table: ip {TABLE}"] if state.has_own_table else ()))

    async def _read(self) -> _State:
        commands = [path.rpartition("/")[2] for path in (await self._text(_WHICH)).split()]
        kinds: dict[str, str] = {}
        for name in commands:
            if name != "nft":
                # Before 1.8 there was only the one that is called `legacy` since, and it did not say so.
                kind = "nft" if _NFT in await self._text((name, "--version")) else "legacy"
                kinds.setdefault(kind, name)
        filters = {kind: await self._filter(name) for kind, name in kinds.items()}
        ruleset = await self._ruleset() if "nft" in commands else None
        tables = tuple(table for table in filters.values() if table is not None)
        shown = filters.get("nft")
        return _State(tables, ruleset, frozenset(shown.policies) if shown else frozenset())

    async def _filter(self, command: str) -> _Filter | None:
        """Return the table `filter`, or None where it does not exist: nothing is blocked then.

        Only -save tells it apart, and it makes no table; asking `iptables` itself may load one into the kernel.
        """
        lines = (await self._text((f"{command}-save",))).splitlines()
        if "*filter" not in lines:
            return None
        at = lines.index("*filter")
        lines = lines[at + 1 : lines.index("COMMIT", at) if "COMMIT" in lines[at:] else None]
        try:
            rules = tuple(tuple(shlex.split(line)) for line in lines if line.startswith("-A "))
            policies = dict(line[1:].split()[:2] for line in lines if line.startswith(":"))
        except ValueError as error:
            raise HostError(f"`{command}-save` gave a malformed reply.", MALFORMED_HINT) from error
        return _Filter(command, policies, rules)

    async def _ruleset(self) -> tuple[dict[str, Any], ...] | None:
        try:
            output = await self._text(("nft", "--json", "--handle", "list", "ruleset"))
        except CommandFailed as error:
            if any(words in error.complaint for words in _WITHOUT_KERNEL):
                return None
            raise
        try:
            items = json.loads(output or "{}").get("nftables", [])
            return tuple(item for item in items if isinstance(item, dict))
        except (ValueError, AttributeError, TypeError) as error:
            raise HostError("`nft --json list ruleset` gave a malformed reply.", MALFORMED_HINT) from error

    async def _text(self, command: tuple[str, ...]) -> str:
        return (await self._run(command, TIMEOUT_S)).decode("utf-8", "replace")

    async def _do(self, command: tuple[str, ...]) -> None:
        await self._run(command, TIMEOUT_S)


def _iptables_rules(interface: str, cable: Cable) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield chain and rule: what the managers need, and what keeps everybody else out.

    A host of containers passes on between all its interfaces. dockerd puts rules of its own before these when it
    starts; what passes by them ends at the far end of the cable, where only the manager is taken for a sender.
    """
    theirs, ours = cable.address, cable.manager_address
    yield "FORWARD", ("-i", interface, "-j", _DROP)
    yield "FORWARD", ("-o", interface, "-j", _DROP)
    # Without the cable the way to its address leads out of the host.
    yield "OUTPUT", ("!", "-o", interface, "-d", theirs, "-j", _DROP)
    yield "INPUT", ("-i", interface, "-s", theirs, "-d", ours, "-j", _ACCEPT)
    yield "OUTPUT", ("-o", interface, "-s", ours, "-d", theirs, "-j", _ACCEPT)


def _nft_rule(interface: str, cable: Cable, hook: str) -> tuple[str, ...]:
    theirs, ours = cable.address, cable.manager_address
    if hook == "input":
        return ("iifname", interface, "ip", "saddr", theirs, "ip", "daddr", ours, "accept")
    return ("oifname", interface, "ip", "saddr", ours, "ip", "daddr", theirs, "accept")


def _own_table(interface: str, cable: Cable) -> tuple[str, ...]:
    """Return the command that makes our own table; one that is there is replaced in the same instant."""
    drops = {
        "forward": f"iifname {interface} drop; oifname {interface} drop;",
        "output": f"oifname != {interface} ip daddr {cable.address} drop;",
    }
    chains = " ".join(
        f"chain {hook} {{ type filter hook {hook} priority 0; policy accept; {rules} }};"
        for hook, rules in drops.items()
    )
    return ("nft", f"table ip {TABLE}; delete table ip {TABLE}; table ip {TABLE} {{ {chains} }}")


def _is_own_table(item: dict[str, Any]) -> bool:
    table = item.get("table", {})
    return bool((table.get("family"), table.get("name")) == ("ip", TABLE))


def _names(words: Sequence[str], interface: str) -> bool:
    pairs = pairwise(words)
    return any(option in ("-i", "-o") and name == interface for option, name in pairs)


def _matches(rule: dict[str, Any], interface: str) -> bool:
    for expression in rule.get("expr", ()):
        match = expression.get("match", {}) if isinstance(expression, dict) else {}
        left = match.get("left", {})
        key = left.get("meta", {}).get("key") if isinstance(left, dict) else None
        if key in ("iifname", "oifname") and match.get("right") == interface:
            return True
    return False
