"""Text from outside is shown as it was cleaned, and never read as markup, by the faces that print lists."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console, RenderableType

from console.diagnosis.quiescence.values import Blocker, Check, CheckState, QuiescenceVerdict, Report
from console.diagnosis.quiescence.waiter import WaitProgress
from console.journal.summary import summarise
from console.journal.values import Batch, JournalGap
from console.operations.stack_removal.plan import RetainedObject
from console.operations.stack_removal.removal import RemovalOutcome, RemovalState
from console.operations.stack_removal.steps import LeakComparison, LeakCount
from console.swarm.model import ObjectKind
from console.text import clean
from screens.output.journal import render_journal
from screens.output.quiet import render_quiet
from screens.output.stack_removal import render_removal
from tests.journal.lines import VIP_LINE, S, entry, line
from tests.support.stacks import item
from tests.support.swarms import NOW

HOSTILE = ("[/x]", "[bold]x[/bold]", "[red]", ":smile:", "\x1b[2J\x1b]0;t\x07", "\u202egnp", "a\nb\r\tc")


def printed(face: RenderableType) -> str:
    """Return what is printed, the spaces of folding and filling left out."""
    # Markup is allowed here, as a careless caller would: what is shown must not depend on it.
    console = Console(file=StringIO(), width=200, highlight=False, force_terminal=False)
    console.print(face)
    assert isinstance(console.file, StringIO)
    said = console.file.getvalue()
    assert said.replace("\n", "").isprintable()
    return "".join(said.split())


def count_of(shown: str, said: str) -> int:
    return said.count("".join(shown.split()))


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_blocks_quiet_is_shown_as_it_is(hostile: str) -> None:
    shown = clean(hostile)
    busy = Check("tasks", "tasks", CheckState.BUSY, (Blocker(shown, shown, NOW),), note=shown, hint=shown)
    stuck = Check("stuck", "stuck", CheckState.STUCK, (Blocker(shown, shown, is_accepted=True),))
    progress = WaitProgress(Report(NOW, (busy, stuck)), 1.0, 0.0, 60.0, QuiescenceVerdict.BUSY)
    # Both of each blocker, the note and the hint, and the blocker once more in the verdict.
    assert count_of(shown, printed(render_quiet(progress))) >= 6


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_the_journal_says_is_shown_as_it_is(hostile: str) -> None:
    lines = (entry(VIP_LINE), entry(line(hostile, hostile)))
    summary = summarise([Batch(lines, (JournalGap(clean(hostile)),))], {S: clean(hostile)})
    said = printed(render_journal(summary, NOW.tzinfo or NOW.astimezone().tzinfo, everything=True))  # type: ignore[arg-type] # aware
    # The name of the service, the unexplained line, and the gap's reason.
    assert count_of(clean(hostile), said) >= 4


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_is_said_of_a_removal_is_shown_as_it_is(hostile: str) -> None:
    shown = clean(hostile)
    kept = RetainedObject(item(ObjectKind.NETWORK, shown), shown)
    outcome = RemovalOutcome(
        shown,
        RemovalState.UNFINISHED,
        retained_objects=(kept,),
        waits_for=(shown,),
        refusals=(shown,),
        took_s=3,
    )
    proof = LeakComparison((LeakCount(shown, None, shown),), (LeakCount(shown, 3),))
    said = printed(render_removal((outcome, replace(outcome, stack="web")), proof, shown))
    # The stack; what was kept and why, what is waited for and what was refused, of both; the proof; the command.
    assert count_of(shown, said) >= 1 + 2 * 4 + 2 + 1
