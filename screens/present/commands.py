"""Commands of this program in a text, as they have to be typed to reach the host that is shown."""

import re

from console.host.root import has_own_root

_COMMAND = re.compile(
    r"\bvipconsole (?=(?:abandon|attach|census|decide|glance|guard|journal|quiet|reclaim|report|resume|runs?|stack-rm|why)\b)"
)


def typed_here(text: str) -> str:
    """Return a text in which every command says that it is for the demo, if this is the demo."""
    if not has_own_root() or "--demo" in text:
        return text
    return _COMMAND.sub("vipconsole --demo ", text)
