"""The help: made from the commands that are declared, so that it cannot say anything else than what is so."""

from collections.abc import Iterable
from dataclasses import replace

from screens.present.text import ASCII, DIM, EMPTY, PLAIN, STRONG, Glyphs, Paragraph, says
from screens.tui.keys import ASCII_KEY_NAMES, KEY_NAMES, Command

KEY_WIDTH = 14
FIRST_PANE = "pane(1)"


def help_says(groups: Iterable[tuple[str, Iterable[Command]]], glyphs: Glyphs) -> tuple[Paragraph, ...]:
    """Return the keys of each group of commands, and what the marks mean."""
    told: list[Paragraph] = []
    names = ASCII_KEY_NAMES if glyphs is ASCII else KEY_NAMES
    for title, commands in groups:
        told.append(says(title, STRONG))
        told += [_command(each, names) for each in commands if not _is_later_pane(each)]
        told.append(EMPTY)
    return (*told, *_marks(glyphs))


def _is_later_pane(command: Command) -> bool:
    return command.action.startswith("pane(") and command.action != FIRST_PANE


def _command(command: Command, names: dict[str, str]) -> Paragraph:
    keys = " ".join(names.get(each.strip(), each.strip()) for each in command.keys.split(","))
    if command.action == FIRST_PANE:
        keys, command = "1 2 3 ...", replace(command, name="Go to a pane by its number")
    return Paragraph(
        (
            (f"  {keys:{KEY_WIDTH}} ", STRONG),
            (f"{command.name}.", PLAIN),
            (f" {command.about}" if command.about else "", DIM),
        ),
        KEY_WIDTH + 3,
    )


def _marks(glyphs: Glyphs) -> tuple[Paragraph, ...]:
    meanings = (
        ("!  *  ?  -", "critical, warning, unknown, worth a note"),
        ("IN USE", "addresses that cannot be handed out, of those that can be held"),
        ("VIP TASK LB", "held by services, by tasks and containers, by nodes' load balancers"),
        ("LEAK", "taken in the allocator and held by nobody"),
        ("?", "unknown, which is never shown as 0"),
        (f"{glyphs.at_least} 4", "at least so many: those that were seen leaking"),
        ("11*", "exact when it was counted; the findings tell when"),
        (f"FREE {glyphs.at_most} 103", "at most so many: leaked ones are among them"),
        (f"{glyphs.above} 28 (3 !)", "28 rows are out of sight above, 3 of them critical"),
        ("STALE", "the engine does not answer; what is shown is as old as it says"),
    )
    return (
        says("What the marks mean", STRONG),
        *(
            Paragraph(((f"  {mark:{KEY_WIDTH}} ", STRONG), (meaning, PLAIN)), KEY_WIDTH + 3)
            for mark, meaning in meanings
        ),
    )
