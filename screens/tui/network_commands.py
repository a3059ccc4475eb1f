"""What can be done on the page of a network."""

from screens.tui.keys import Command
from screens.tui.screen import PANES

KEYS: tuple[Command, ...] = (
    Command("find", "slash", "Find a holder or an address", "find", "`.52` means an address of this subnet."),
    Command(
        "next_match(1)",
        "n",
        "Next match, else next leaked address",
        "next",
        brief="Next, previous match or leak",
        when=lambda screen: bool(screen.stops),
    ),
    Command(
        "next_match(-1)",
        "N",
        "Previous match, else previous leaked address",
        brief="Next, previous match or leak",
        when=lambda screen: bool(screen.stops),
    ),
    Command("next_subnet", "s", "Next subnet", "subnet", when=lambda screen: len(screen.maps) > 1),
    Command("why", "w", "Why this service does not run", "why", when=lambda screen: bool(screen.service_id)),
    Command("copy", "c", "Copy the text of this pane", "copy"),
    Command("next_pane(1)", "tab", "Go to the next pane", is_in_palette=False, brief=PANES),
    Command("next_pane(-1)", "shift+tab", "Go to the previous pane", is_in_palette=False, brief=PANES),
    Command(
        "back",
        "escape",
        "Back: leave the block, the search, the network",
        "back",
        brief="Back: block, search, network",
    ),
)
