"""An engine that refuses, hangs, breaks off or lies at any call of a recreation: the truth is told, and all comes back."""

from collections.abc import Iterator

import pytest

from console.errors import VipconsoleError
from console.operations.network_recreation import restore
from console.operations.network_recreation.job import RecreationError, RecreationRollback
from tests.simulator.swarms import check_pools
from tests.support.recreation import NEW, OLD, Stage, facts, stage, subnet_of

CHANGES = 16
"""Changing calls of an undisturbed recreation of the small stage: 3 parked and detached, a container, the network twice …"""
KINDS = ("status:404", "status:409", "status:500", "refuse", "hang", "lose_answer")
"""Each call meets three of them in `make test`, and all six in `make faults`."""
CREATION = 8
"""The place of the creation among the changes: the only one that answers with something to read."""
PLANNING = 30
"""Reads that the plan takes, at most: nothing was changed yet, and an error is simply told."""
READS = 170
"""Reads of a whole recreation, at least."""
FOREVER = 10**6


@pytest.fixture
def on() -> Iterator[Stage]:
    with stage(small=True, call_timeout_s=0.5) as staged:
        staged.at_once = 1
        yield staged


@pytest.fixture
def impatient(on: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Give a stage on which an engine is given up soon: a call that hangs takes this machine's own time."""
    on.max_wait_s = 0.5
    monkeypatch.setattr(restore, "BACK_WITHIN_S", 1.0)
    monkeypatch.setattr("console.operations.network_recreation.create.LINGERS_S", 0.5)
    return on


async def test_so_many_changing_calls_there_are() -> None:
    with stage(small=True) as on:
        await on.forward()
        assert len(on.changes) == CHANGES


@pytest.mark.parametrize(
    ("kind", "call"),
    [
        *(
            pytest.param(kind, call, marks=() if (number + call) % 2 else pytest.mark.sweep)
            for number, kind in enumerate(KINDS)
            for call in range(CHANGES)
        ),
        ("garbage", CREATION),
        ("cut", CREATION),
    ],
)
async def test_a_change_that_fails_once_loses_nothing(on: Stage, kind: str, call: int) -> None:
    before = facts(on.model)
    for method in ("POST", "DELETE"):
        # The removal comes before it, and is the only one with a method of its own.
        if (method == "DELETE") == (call == CREATION - 1):
            on.break_calls(method, kind, 0 if method == "DELETE" else call - (call >= CREATION))

    try:
        result = await on.forward()
        ended = subnet_of(on.model)
        assert result.sentences == ()
        assert ended == str(NEW)
    except RecreationRollback:
        ended = subnet_of(on.model)
        assert ended == str(OLD)

    assert facts(on.model) == before
    check_pools(on.model)


@pytest.mark.parametrize(
    ("kind", "call"),
    [
        *(("status:500", call) for call in range(CHANGES)),
        # One of each: services parked, the container, the network removed and created, services and container back.
        *((kind, call) for kind in ("lose_answer", "status:409") for call in (1, 4, 6, 7, 8, 9, 11, 12)),
        *(("hang", call) for call in (1, 7, 8, 11)),
    ],
)
async def test_when_nothing_can_be_changed_any_more_the_truth_is_told_and_undone_later(
    impatient: Stage, kind: str, call: int
) -> None:
    on = impatient
    before = facts(on.model)
    for method in ("POST", "DELETE"):
        if method == "POST" or call < CREATION:
            skip = 0 if method == "DELETE" else call - (call >= CREATION)
            on.break_calls(method, kind, skip, FOREVER)

    failed: VipconsoleError | None = None
    try:
        result = await on.forward()
    except (RecreationRollback, RecreationError) as error:
        failed = error
    else:
        # A lost answer does no harm, and what a rollback would bring is worth no failure.
        assert result.sentences == ()
        assert call >= 13 or kind == "lose_answer"
    down = [
        each.name for each in on.model.store.services.values() if "vipconsole.parked" in each.spec["Labels"]
    ]
    if isinstance(failed, RecreationRollback):
        assert down == []
    if down:
        assert isinstance(failed, RecreationError)
        assert failed.hint

    on.mend_calls()
    on.max_wait_s = 20.0
    back = await on.back()

    assert (subnet_of(on.model), back.sentences) == (str(OLD), ())
    assert facts(on.model) == before
    check_pools(on.model)


@pytest.mark.parametrize("read", range(PLANNING, READS, 12))
async def test_reads_that_fail_for_a_while_do_no_harm(on: Stage, read: int) -> None:
    before = facts(on.model)
    kind = KINDS[read % len(KINDS)].replace("lose_answer", "refuse")
    on.break_calls("GET", kind, read, 3)

    result = await on.forward()

    assert (result.sentences, subnet_of(on.model)) == ((), str(NEW))
    assert facts(on.model) == before


@pytest.mark.parametrize("read", range(PLANNING, READS, 31))
async def test_where_nothing_can_be_read_any_more_it_is_given_up_and_undone_later(
    impatient: Stage, read: int
) -> None:
    on = impatient
    before = facts(on.model)
    on.break_calls("GET", "status:500", read, FOREVER)

    with pytest.raises(VipconsoleError, match="HTTP 500"):
        await on.forward()

    on.mend_calls()
    on.max_wait_s = 20.0
    back = await on.back()
    assert (subnet_of(on.model), back.sentences) == (str(OLD), ())
    assert facts(on.model) == before
