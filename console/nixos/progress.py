"""Nix's own progress (`--log-format internal-json`) in the words of a person.

Each line `@nix {…}` is an event; see `src/libutil/logging.hh` and `logging.cc` of Nix for its numbers.
"""

import json
import re
from typing import Any

from console.text import SENTENCE_LIMIT, clean

_PREFIX = b"@nix "
_COPIES, _BUILDS, _BUILD = 103, 104, 105
"""Kinds of activity: copying store paths, all builds together, one build."""
_PROGRESS = 105
"""The kind of result that holds how many are done, and how many are expected."""
_WORTH_SAYING = 3
"""The most verbose level that is shown: 0 error, 1 warning, 2 notice, 3 info."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*[mK]")
_ADVICE = "(use '--show-trace'"
"""Nix sends it as a separate error, after the real one."""
_MOST_ERRORS = 5
_LAST = 20
_STORE_NAME = re.compile(r"/[^' ]*/[a-z0-9]{32}-([^/' ]+?)(?:\.drv)?(?=$|[/' ])")


class NixProgress:
    """Turns what Nix writes into lines, and counts."""

    def __init__(self) -> None:
        self._kinds: dict[int, int] = {}
        self._counts: dict[int, tuple[int, int]] = {}
        self.errors: tuple[str, ...] = ()
        """Nix's last errors, each in one line."""
        self.last_lines: tuple[str, ...] = ()
        """The last lines meant for a person."""

    def lines(self, raw: bytes) -> tuple[str, ...]:
        """Return what a raw line says to a person, nothing where that is nothing new."""
        text = self._plain(raw)
        if raw.startswith(_PREFIX):
            try:
                text = self._event(json.loads(raw.removeprefix(_PREFIX)))
            except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
                # Shown as it is: it may be the very line that tells what went wrong.
                text = self._plain(raw)
        shown = tuple(clean(line.rstrip(), SENTENCE_LIMIT) for line in text.splitlines() if line.strip())
        self.last_lines = (*self.last_lines, *shown)[-_LAST:]
        return shown

    def _plain(self, raw: bytes) -> str:
        text = _COLOUR.sub("", raw.decode("utf-8", "replace"))
        if text.lstrip().startswith("error:"):
            self._note(text)
        return text

    def _note(self, error: str) -> None:
        if error.startswith(_ADVICE):
            return
        self.errors = (*self.errors, clean(" ".join(error.split()), SENTENCE_LIMIT))[-_MOST_ERRORS:]

    def _event(self, event: dict[str, Any]) -> str:
        match event["action"]:
            case "start":
                self._kinds[event["id"]] = event["type"]
                return self._started(event) if event["type"] == _BUILD else ""
            case "stop":
                self._kinds.pop(event["id"], None)
            case "result" if event["type"] == _PROGRESS:
                return self._counted(event)
            case "msg":
                text = _COLOUR.sub("", str(event["msg"]))
                if event["level"] == 0:
                    self._note(text)
                return text if event["level"] <= _WORTH_SAYING else ""
        return ""

    def _started(self, event: dict[str, Any]) -> str:
        text = _STORE_NAME.sub(r"\1", str(event.get("text", "")))
        counts = self._so_far()
        return f"{text} ({counts})" if text and counts else text

    def _counted(self, event: dict[str, Any]) -> str:
        kind = self._kinds.get(event["id"])
        done, expected = int(event["fields"][0]), int(event["fields"][1])
        if kind not in (_BUILDS, _COPIES) or expected <= 0:
            return ""
        before = self._counts.get(kind, (0, 1))
        self._counts[kind] = (done, expected)
        # Thousands of paths are no thousand lines.
        return self._so_far() if 10 * done // expected != 10 * before[0] // before[1] else ""

    def _so_far(self) -> str:
        words = ((_BUILDS, "built"), (_COPIES, "fetched"))
        counts = [(*self._counts[kind], word) for kind, word in words if kind in self._counts]
        return ", ".join(f"{done} of {expected} {word}" for done, expected, word in counts)
