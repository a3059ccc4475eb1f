from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from console.operations.census_walk import Walk, is_settled, skipped_shares, unvisited_addresses

RING = [IPv4Address("10.0.1.0") + n for n in range(2, 202)]


def walk(*skipped: int, ring: int = 200) -> Walk:
    visited = frozenset(RING[:ring]) - {RING[each] for each in skipped}
    return Walk(visited, len(visited) + 1)


def test_two_quiet_walks_settle_it_and_one_never_does() -> None:
    assert not is_settled([walk()], RING)
    assert is_settled([walk(), walk()], RING)
    assert skipped_shares([walk(), walk()]) == (0.0, 0.0)


def test_what_a_walk_skipped_and_another_visited_is_no_leak_and_asks_for_more_walks() -> None:
    walks = [walk(*range(20)), walk()]
    # One in ten was skipped: of what the second skipped too, nothing tells.
    assert not is_settled(walks, RING)
    assert is_settled([*walks, walk()], RING)
    assert not unvisited_addresses(RING, walks, ())


def test_a_walk_that_still_cleared_an_address_is_not_the_last() -> None:
    leaked = RING[150:]
    walks = [walk(0, ring=150), walk(0, ring=150), walk(ring=150)]
    assert not is_settled(walks, [*leaked, RING[0]])
    assert is_settled([*walks, walk(ring=150)], [*leaked, RING[0]])


def test_while_others_take_every_second_address_many_walks_are_needed() -> None:
    busy = [walk(*(each for each in range(200) if (each * 2654435761 >> number) & 1)) for number in range(40)]
    needed = next(count for count in range(1, 40) if is_settled(busy[:count], RING))
    assert 12 <= needed <= 20
    assert not unvisited_addresses(RING, busy[:needed], ())


@given(st.lists(st.sets(st.integers(0, 199)), min_size=1, max_size=6), st.sets(st.integers(0, 199)))
def test_what_was_visited_or_held_is_never_named(skips: list[set[int]], held: set[int]) -> None:
    walks = [walk(*each) for each in skips]
    named = unvisited_addresses(RING, walks, {RING[each] for each in held})
    assert named == {RING[each] for each in set.intersection(*skips) - held}
