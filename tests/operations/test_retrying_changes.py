"""A change is repeated until it is seen or was refused often enough, and none is made twice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from console.errors import EngineError, EngineRefused, VipconsoleError
from console.operations.changes import TRIES, Change, RetryingChanger
from tests.support.change_records import ChangeRecordList
from tests.support.clocks import Hours

LOST = EngineError("The connection was lost.", "Look again.")
REFUSED = EngineRefused("The engine refused.", "Look why.", status=500)


@dataclass
class Engine:
    """Answers each attempt with what is set for it, or makes the change and answers; the last one for all that follow."""

    answers: list[VipconsoleError | None]
    made_by: int = 0
    """The number of the attempt that makes the change whatever is answered; 0 where none does."""
    attempts: int = 0
    is_made: bool = False
    looks: list[bool] = field(default_factory=list)

    async def act(self) -> Mapping[str, Any]:
        answer = self.answers[min(self.attempts, len(self.answers) - 1)]
        self.attempts += 1
        self.is_made |= answer is None or self.attempts == self.made_by
        if answer is not None:
            raise answer
        return {"answered": True}

    async def look(self) -> bool:
        self.looks.append(self.is_made)
        return self.is_made

    def change(self) -> Change:
        return Change("service", "s1", "park", {}, self.act, self.look)


async def made(engine: Engine) -> Mapping[str, Any] | None:
    """Make the change, and return the result that was recorded."""
    records = ChangeRecordList()
    await RetryingChanger(Hours(), records).make(engine.change())
    return records.changes[0].result if records.changes else None


async def test_what_is_made_already_is_neither_made_again_nor_recorded() -> None:
    engine = Engine([None], is_made=True)
    assert await made(engine) is None
    assert engine.attempts == 0


@pytest.mark.parametrize("answer", [LOST, REFUSED])
async def test_a_change_that_is_seen_is_made_whatever_was_answered(answer: VipconsoleError) -> None:
    engine = Engine([answer], made_by=1)
    assert await made(engine) == {"seen": True}
    assert engine.attempts == 1


async def test_it_is_tried_again_until_the_engine_takes_it() -> None:
    engine = Engine([REFUSED] * (TRIES - 1) + [None])
    assert await made(engine) == {"answered": True}
    assert engine.attempts == TRIES


async def test_what_was_refused_often_enough_has_failed() -> None:
    engine, records = Engine([REFUSED]), ChangeRecordList()
    with pytest.raises(EngineRefused):
        await RetryingChanger(Hours(), records).make(engine.change())
    assert engine.attempts == TRIES
    assert records.changes[0].result == {"not_made": REFUSED.sentence}


async def test_no_answer_is_no_refusal_and_is_waited_for() -> None:
    engine, clock = Engine([LOST]), Hours()
    with pytest.raises(EngineError, match="The connection was lost"):
        await RetryingChanger(clock, ChangeRecordList(), max_wait_s=30).make(engine.change())
    assert engine.attempts > TRIES
    assert 30 <= clock.at_s < 33
