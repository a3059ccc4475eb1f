"""Files of tests in the order in which several workers finish soonest: those with real engines first, then with processes.

A worker takes a whole file. One that takes minutes must not begin when the others have nothing left to do, so xdist keeps
this order (`--no-loadscope-reorder`); its own puts the files with most tests first, and those are the quick ones.
"""

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the files; the tests of one stay as they are."""
    ranks: dict[object, int] = {}
    for item in items:
        rank = next(
            (rank for rank, mark in enumerate(("engine", "process")) if item.get_closest_marker(mark)), 2
        )
        ranks[item.path] = min(rank, ranks.get(item.path, rank))
    items.sort(key=lambda item: ranks[item.path])
