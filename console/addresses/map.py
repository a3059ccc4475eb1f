"""Every address of a subnet as a cell: who holds it, what leaked, what is free, and what cannot be told. Pure.

Only addresses about which something is known are kept one by one, so that a /8 costs no more than what is held in it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum
from ipaddress import IPv4Address

from console.addresses.accounting import NetworkAccount, SubnetAccount
from console.addresses.holders import AddressHolders, Holder, HolderKind, Pool
from console.addresses.leaks import LeakEntry, LeakEvidence
from console.frozen import frozen

BLOCK = 256
"""Addresses of one block: larger subnets are shown block by block."""
MAX_LISTED_SIZE = 65_536
"""In larger subnets, addresses that leaked though nothing names them are not kept one by one."""


class CellKind(StrEnum):
    """What a cell is, in the word that the legend shows."""

    VIP = "VIP"
    TASK = "task"
    CONTAINER = "container"
    LOAD_BALANCER = "load balancer"
    TWICE = "held twice"
    LEAKED = "leaked"
    TAKEN = "leaked or load balancer"
    """A census found it taken, and which of those are other nodes' load balancers only these nodes tell."""
    FREE = "free"
    OPEN = "unknown"
    """Nobody is known to hold it: free, or leaked, or another node's load balancer."""
    GATEWAY = "gateway"
    RESERVED = "reserved"
    """Network or broadcast address."""
    OUTSIDE = "outside ip-range"

    @property
    def is_held(self) -> bool:
        """Whether somebody is known to hold it."""
        return self in _KINDS_WITH_HOLDER

    @property
    def is_trouble(self) -> bool:
        """Whether it should not be so."""
        return self in (CellKind.TWICE, CellKind.LEAKED, CellKind.TAKEN)


_OF_KIND = {
    HolderKind.VIP: CellKind.VIP,
    HolderKind.TASK: CellKind.TASK,
    HolderKind.CONTAINER: CellKind.CONTAINER,
    HolderKind.LOAD_BALANCER: CellKind.LOAD_BALANCER,
}
_KINDS_WITH_HOLDER = frozenset((*_OF_KIND.values(), CellKind.TWICE))


@frozen
class Cell:
    """One address of a subnet, with its holders or the leak that lost it."""

    address: IPv4Address
    mark: CellKind
    holders: tuple[Holder, ...] = ()
    leak_entry: LeakEntry | None = None
    """The leak log's entry, where it was seen leaking."""


@frozen
class Block:
    """Up to 256 consecutive addresses, and how many there are of each mark."""

    number: int
    first: IPv4Address
    size: int
    counts: Mapping[CellKind, int]
    capacity: int
    """How many of them can be held."""

    @property
    def held_count(self) -> int:
        """How many have a known holder."""
        return sum(count for mark, count in self.counts.items() if mark.is_held)

    @property
    def in_use_count(self) -> int:
        """How many are known to be in use for any reason, leaked ones included."""
        return self.held_count + self.counts.get(CellKind.LEAKED, 0) + self.counts.get(CellKind.TAKEN, 0)


@frozen
class AddressMap:
    """One subnet, address by address where something is known, else as a whole."""

    account: SubnetAccount
    cells: Mapping[int, Cell]
    """By address as a number: all but those of which nothing is known but the range they lie in."""
    rest: CellKind
    """What the other addresses are that can be handed out: free or unknown."""
    by_block: Mapping[int, tuple[Cell, ...]]
    totals: Mapping[CellKind, int]
    """How many addresses there are of each mark."""

    @property
    def pool(self) -> Pool:
        """What can be handed out."""
        return self.account.pool

    @property
    def first(self) -> int:
        """The lowest address, as a number."""
        return int(self.pool.subnet.network_address)

    @property
    def size(self) -> int:
        """How many addresses there are, reserved ones included."""
        return self.pool.subnet.num_addresses

    @property
    def blocks(self) -> int:
        """How many blocks there are; 1 for a /24 and smaller."""
        return max(1, self.size // BLOCK)

    def cell(self, address: int) -> Cell:
        """Return the cell of an address of the subnet."""
        known_cell = self.cells.get(address)
        if known_cell is not None:
            return known_cell
        ip_address = IPv4Address(address)
        return Cell(ip_address, self.rest if ip_address in self.pool.handed_out_from else CellKind.OUTSIDE)

    def block(self, number: int) -> Block:
        """Return a block by its number, from 0."""
        size = min(BLOCK, self.size)
        first = self.first + number * size
        cells = self.by_block.get(number, ())
        counts = Counter(cell.mark for cell in cells)
        span = self.pool.handed_out_from
        low = max(first, int(span.network_address))
        high = min(first + size, int(span.network_address) + span.num_addresses)
        inside = max(0, high - low)
        cells_inside = sum(low <= int(cell.address) < high for cell in cells)
        reserved_count = sum(low <= int(address) < high for address in self.pool.reserved)
        for mark, count in (
            (self.rest, inside - cells_inside),
            (CellKind.OUTSIDE, size - inside - (len(cells) - cells_inside)),
        ):
            if count:
                counts[mark] += count
        return Block(number, IPv4Address(first), size, counts, inside - reserved_count)

    def block_of(self, address: int) -> int:
        """Return the number of the block that an address is in."""
        return (address - self.first) // min(BLOCK, self.size)

    def counts(self) -> Mapping[CellKind, int]:
        """Return how many addresses there are of each mark in the whole subnet."""
        return self.totals

    def find(self, text: str) -> tuple[int, ...]:
        """Return the addresses that a text means, in order: by number, by holder, or by who lost them.

        A whole address, or its end as `.52` or `.3.52`, means that one, with any holder; anything else the names that
        contain it, in any case, and `leaked` and the other words of the legend those marks.
        """
        query = text.strip().lower()
        exact = self._find_exact(query)
        if exact or not query:
            return exact
        return tuple(
            sorted(
                number
                for number, cell in self.cells.items()
                if any(query in word for word in _search_words(cell))
            )
        )

    def troubles(self) -> tuple[int, ...]:
        """Return the addresses that leaked or are held twice, in order."""
        if not any(mark.is_trouble for mark in self.totals):
            return ()
        return tuple(sorted(number for number, cell in self.cells.items() if cell.mark.is_trouble))

    def _find_exact(self, text: str) -> tuple[int, ...]:
        if text.startswith(".") and text.replace(".", "").isdigit():
            head = str(self.pool.subnet.network_address).split(".")[: -text.count(".")]
            text = ".".join((*head, text[1:]))
        try:
            address = IPv4Address(text)
        except ValueError:
            return ()
        return (int(address),) if address in self.pool.subnet else ()


def map_subnet(account: SubnetAccount, elsewhere: AddressHolders, entries: Iterable[LeakEntry]) -> AddressMap:
    """Return the map of a subnet.

    `elsewhere` are held addresses of the same network that no pool can hand out, and `entries` those of the leak log; of
    both, what lies in this subnet is shown.
    """
    pool, leak = account.pool, account.leak
    cells: dict[int, Cell] = {}
    for address in pool.reserved:
        ends = (pool.subnet.network_address, pool.subnet.broadcast_address)
        cells[int(address)] = Cell(address, CellKind.RESERVED if address in ends else CellKind.GATEWAY)
    first = int(pool.subnet.network_address)
    end = first + pool.subnet.num_addresses
    for address_holders in (elsewhere, account.address_holders):
        for address, holders in address_holders.items():
            number = int(address)
            if first <= number < end:
                mark = _OF_KIND[holders[0].kind] if len(holders) == 1 else CellKind.TWICE
                cells[number] = Cell(address, mark, holders)
    leak_entries = {address: entry for entry in entries for address in entry.addresses}
    named_kind = CellKind.TAKEN if leak.possibly_load_balancers else CellKind.LEAKED
    for address in (*leak.addresses, *leak_entries):
        if address in pool and int(address) not in cells:
            entry = leak_entries.get(address)
            cells[int(address)] = Cell(address, CellKind.LEAKED if entry else named_kind, leak_entry=entry)
    rest = _rest(account, cells.values())
    if rest.is_trouble and pool.handed_out_from.num_addresses <= MAX_LISTED_SIZE:
        cells |= {
            int(address): Cell(address, rest) for address in pool.handed_out_from if int(address) not in cells
        }
    by_block: defaultdict[int, list[Cell]] = defaultdict(list)
    size = min(BLOCK, pool.subnet.num_addresses)
    for number, cell in cells.items():
        by_block[(number - first) // size].append(cell)
    blocks = {block: tuple(cells) for block, cells in by_block.items()}
    return AddressMap(account, cells, rest, blocks, _totals(pool, cells, rest))


def _totals(pool: Pool, cells: Mapping[int, Cell], rest: CellKind) -> Mapping[CellKind, int]:
    counts = Counter(cell.mark for cell in cells.values())
    span = pool.handed_out_from
    first = int(span.network_address)
    end = first + span.num_addresses
    inside = sum(first <= number < end for number in cells)
    counts[rest] += span.num_addresses - inside
    counts[CellKind.OUTSIDE] += pool.subnet.num_addresses - span.num_addresses - (len(cells) - inside)
    return {mark: counts[mark] for mark in CellKind if counts[mark]}


def map_network(account: NetworkAccount, entries: Iterable[LeakEntry]) -> tuple[AddressMap, ...]:
    """Return the maps of all IPv4 subnets of a network."""
    own = tuple(entry for entry in entries if entry.network_id == account.network.id)
    return tuple(map_subnet(subnet, account.elsewhere, own) for subnet in account.subnets)


def _rest(account: SubnetAccount, cells: Iterable[Cell]) -> CellKind:
    """Return what an address is that nobody is known to hold.

    Where all of them are the same it is that, though nobody named them. Free may mean one of a few load balancers of
    other nodes; but what may have leaked is unknown.
    """
    leak = account.leak
    if leak.count is None or leak.evidence is LeakEvidence.LEAK_LOG:
        # The leak log names what was seen leaking; what leaked before nobody knows.
        return CellKind.OPEN
    counts = Counter(cell.mark for cell in cells)
    unnamed_leaks = (
        leak.count + leak.possibly_load_balancers - counts[CellKind.LEAKED] - counts[CellKind.TAKEN]
    )
    balancers = 0 if leak.addresses else account.unnamed_load_balancers
    remaining = (
        account.capacity - len(account.address_holders) - counts[CellKind.LEAKED] - counts[CellKind.TAKEN]
    )
    if unnamed_leaks <= 0:
        return CellKind.LOAD_BALANCER if remaining and balancers == remaining else CellKind.FREE
    return CellKind.LEAKED if unnamed_leaks == remaining and leak.as_of is None else CellKind.OPEN


def _search_words(cell: Cell) -> Iterable[str]:
    """Yield the texts by which a cell can be found, in lower case."""
    yield cell.mark.lower()
    yield from (holder.name.lower() for holder in cell.holders)
    if cell.leak_entry is not None:
        yield from (
            cell.leak_entry.task_name.lower(),
            cell.leak_entry.stack.lower(),
            cell.leak_entry.removed_network.lower(),
        )
