"""What the console does not need for its first data: what another screen, a dialog or a run needs.

It is imported where it is needed, and before that in the background, so that no key waits for it.
"""

from importlib import import_module

LATER = (
    "screens.tui.help",
    "screens.tui.network",
    "screens.tui.why",
    "screens.tui.journal",
    "screens.present.help",
    "screens.tui.jump",
    "screens.tui.run_follower",
    "screens.tui.runbook",
)
"""What is likeliest to be needed first comes first."""


def load_later() -> None:
    """Import all of it; blocks."""
    for name in LATER:
        import_module(name)
