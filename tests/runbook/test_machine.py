"""The course of any run, with its runner killed anywhere: what it comes to, and what it never does."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from console.runbook.language.values import Effect, OnFailure
from console.runbook.run import events
from console.runbook.run.decisions import DecisionRequest
from console.runbook.run.header import StepHeader
from console.runbook.run.next_action import Await, Idle
from console.runbook.run.replay import replay
from console.runbook.run.view import RunState, RunView, StepState
from tests.support.runs import ALICE, Flags, PaperRun, lives_of


@st.composite
def steps(draw: st.DrawFn) -> tuple[StepHeader, ...]:
    heads = []
    for number in range(draw(st.integers(1, 5))):
        effect = draw(st.sampled_from(list(Effect)))
        may_retry = effect is Effect.READ or draw(st.booleans())
        heads.append(
            StepHeader(
                f"s{number}",
                f"Step {number}",
                "test.do",
                effect,
                is_checkpoint=draw(st.booleans()),
                needs_word=effect is Effect.OUTAGE or draw(st.booleans()),
                may_retry=may_retry,
                retries=draw(st.integers(0, 2)) if may_retry else 0,
                on_failure=draw(st.sampled_from(list(OnFailure))),
            )
        )
    return tuple(heads)


def blind_steps(heads: tuple[StepHeader, ...]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from([each.id for each in heads]))


def drive(run: PaperRun, most: int = 400) -> RunView:
    """Be an operator who confirms, tries again what failed, and resumes what stopped, until the run is over."""
    for next_action in lives_of(run):
        most -= 1
        assert most, f"it never ends: {run.entries[-20:]}"
        view = run.view
        if view.is_over:
            assert view == replay(run.entries)
            return view
        if isinstance(next_action, Await):
            asked = next_action.question.event
            request = DecisionRequest(asked.step, asked.choices[0], word=asked.word)
            assert run.decide(request) == ""
        elif next_action is not None and view.stop_reason is not None:
            if view.stop_reason.why is events.Why.UNKNOWN and view.current is not None:
                assert run.decide(DecisionRequest(view.current.id, events.Choice.RETRY)) == ""
            else:
                run.write(events.Resumed(ALICE))
    raise AssertionError


def crashed_at_startup(view: RunView) -> bool:
    return view.stop_reason is not None and "crashed" in view.stop_reason.sentence


@given(st.data())
def test_killed_anywhere_it_ends_where_an_uninterrupted_run_ends(data: st.DataObject) -> None:
    heads = data.draw(steps())
    blind = data.draw(blind_steps(heads))
    crashes = data.draw(st.frozensets(st.integers(1, 120), max_size=6))
    calm, torn = (
        PaperRun(heads, Flags(blind=blind)),
        PaperRun(heads, Flags(blind=blind), crash_at=crashes),
    )
    assert {each.state for each in drive(calm).steps} == {StepState.DONE}
    view = drive(torn)
    assert view.state is RunState.DONE
    assert {each.state for each in view.steps} == {StepState.DONE}
    assert torn.world.done == calm.world.done
    assert view.outcome == 0
    assert not view.blocks


@given(st.data())
def test_nothing_is_done_again_without_a_look_and_nothing_at_all_where_the_look_says_yes(
    data: st.DataObject,
) -> None:
    heads = data.draw(steps())
    ready = {each.id: True for each in heads if data.draw(st.booleans())}
    crashes = data.draw(st.frozensets(st.integers(1, 120), max_size=6))
    failing = {each.id: data.draw(st.integers(0, 2)) for each in heads}
    run = PaperRun(heads, Flags(done=dict(ready), failing=failing), crash_at=crashes)
    drive(run)
    history = run.world.history
    assert not [
        each for each in history if each[0] == "act" and each[1] in ready and ("undo", each[1]) not in history
    ]
    for step in {each[1] for each in history}:
        own = [kind for kind, each in history if each == step]
        assert all(before == "probe" for before, kind in pairwise(own) if kind == "act"), own
        assert own[0] == "probe"


@given(st.data())
def test_what_cannot_be_seen_is_done_again_only_when_the_operator_says_so(data: st.DataObject) -> None:
    heads = data.draw(steps())
    crashes = data.draw(st.frozensets(st.integers(1, 120), max_size=6))
    run = PaperRun(heads, Flags(blind=frozenset(each.id for each in heads)), crash_at=crashes)
    drive(run)
    for head in (each for each in heads if each.changes):
        own = [
            each.event
            for each in run.entries
            if isinstance(each.event, events.Intended | events.Decided | events.Undone)
            and each.event.step == head.id
        ]
        assert not [
            one
            for one, two in pairwise(own)
            if isinstance(one, events.Intended) and isinstance(two, events.Intended)
        ]


@given(st.data())
def test_what_fails_and_is_to_be_undone_is_undone_wherever_it_is_killed(data: st.DataObject) -> None:
    heads = data.draw(steps())
    last = StepHeader("last", "The last", "test.do", Effect.CHANGE, on_failure=OnFailure.UNDO)
    crashes = data.draw(st.frozensets(st.integers(1, 120), max_size=4))
    run = PaperRun((*heads, last), Flags(failing={"last": 1000}), crash_at=crashes)
    view = run.view
    for next_action in lives_of(run):
        view = run.view
        if isinstance(next_action, Await):
            asked = next_action.question.event
            assert run.decide(DecisionRequest(asked.step, asked.choices[0], word=asked.word)) == ""
        elif view.stop_reason is not None and (
            view.stop_reason.why is events.Why.UNKNOWN or crashed_at_startup(view)
        ):
            run.write(events.Resumed(ALICE))
        elif next_action is not None:
            break
    checkpoint = max((at for at, each in enumerate(heads) if each.is_checkpoint), default=0)
    undone = {each.id for each in (*heads[checkpoint:], last) if each.changes}
    assert {each.id for each in view.steps if each.state is StepState.UNDONE} == undone
    assert {each for each, is_done in run.world.done.items() if is_done} == {
        each.id for each in heads
    } - undone
    ids = [each.id for each in (*heads, last)]
    order = dict.fromkeys(step for kind, step in run.world.history if kind == "undo")
    assert list(order) == sorted(undone, key=ids.index, reverse=True)
    assert view.outcome == 1
    everything_undone = not any(each.changes for each in heads[:checkpoint])
    assert view.is_over is everything_undone
    assert view.blocks is not everything_undone


@given(st.data())
def test_what_is_done_is_undone_from_any_step_on_wherever_it_is_killed(data: st.DataObject) -> None:
    heads = data.draw(steps())
    run = PaperRun(heads, Flags())
    drive(run)
    last = len(heads) - 1
    named = data.draw(st.integers(0, last))
    checkpoint = max((number for number, each in enumerate(heads) if each.is_checkpoint), default=0)
    first = named if named < last else checkpoint
    wanted = {each.id for each in heads[first:] if each.changes}
    said = run.decide(DecisionRequest(heads[named].id, events.Choice.UNDO))
    assert said == ("" if wanted else f"There is nothing to undo at {heads[named].id}.")
    if not wanted:
        return
    run.crash_at = frozenset(
        run.ticks + each for each in data.draw(st.frozensets(st.integers(1, 60), max_size=4))
    )
    for next_action in lives_of(run):
        assert not isinstance(next_action, Await)
        if crashed_at_startup(run.view):
            run.write(events.Resumed(ALICE))
        elif next_action is not None:
            break
    assert {each.id for each in run.view.steps if each.state is StepState.UNDONE} == wanted
    assert {each for each, is_done in run.world.done.items() if not is_done} == wanted
    everything = not any(each.changes for each in heads[:first])
    assert run.view.state is (RunState.UNDONE if everything else RunState.STOPPED)
    assert run.view.blocks is not everything
    assert run.view.outcome == 1
    assert run.view == replay(run.entries)


def test_a_runner_that_crashes_at_startup_three_times_in_a_row_is_started_again_only_by_an_operator() -> None:
    run = PaperRun(
        (StepHeader("s0", "Step 0", "test.do", Effect.READ),), Flags(), crash_at=frozenset({2, 4, 6})
    )
    lives = lives_of(run)
    assert [next(lives) for _ in range(3)] == [None, None, None]
    assert isinstance(next(lives), Idle)
    assert run.view.stop_reason is not None
    assert run.view.stop_reason.sentence == "The runner crashed 3 times at startup."
    assert run.world.history == []
    run.write(events.Resumed(ALICE))
    assert drive(run).state is RunState.DONE
