"""Commands that create a Docker network, understood as `docker network create` itself reads its arguments."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from console.nixos.shell import commands
from console.nixos.source import UNKNOWN, NixSource, Word

_ADDRESSES = ("aux-address", "gateway", "ip-range", "subnet")
VALUED = frozenset((*_ADDRESSES, "config-from", "driver", "ipam-driver", "ipam-opt", "label", "opt", "scope"))
"""Options of `docker network create` that take a value."""
_SWITCHES = frozenset(["attachable", "config-only", "ingress", "internal", "ipv4", "ipv6", "help"])
_SHORT = {"d": "driver", "o": "opt"}
_GLOBAL_VALUED = frozenset(
    ("--host", "-H", "--context", "-c", "--config", "--log-level", "-l", "--tlscacert")
)
_TALKERS = frozenset(("echo", "printf", ":", "true", "false", "log", "logger", "info", "warn", "die", "grep"))
"""Commands that only say what their arguments are."""


@dataclass(frozen=True, slots=True)
class Creation:
    """One command that creates a network."""

    place: int
    """Where in the file it begins."""
    names: tuple[Word, ...]
    """What may be the network's name: one word where all is well, none where it stands elsewhere."""
    options: tuple[tuple[str, str], ...]
    """Long names without dashes, and values ("" for switches)."""
    trouble: str = ""
    """What about it cannot be known, as what follows "its"; nothing where all is."""
    is_list: bool = False
    """Whether its words are strings of a Nix list, and not of a shell command."""

    def values(self, option: str) -> tuple[str, ...]:
        """Return every value that an option is given."""
        return tuple(value for name, value in self.options if name == option)


def creations(source: NixSource) -> Iterator[Creation]:
    """Yield every command of a Nix file that creates a Docker network: in its strings, and as lists of arguments."""
    for text in source.texts():
        for command in commands(text):
            words = _from_docker_on(command.words)
            if words:
                yield _understood(words, is_whole=command.is_whole, is_list=False)
    for each in source.lists():
        words = _from_docker_on(each)
        if words:
            yield _understood(words, is_whole=True, is_list=True)


def _from_docker_on(words: Sequence[Word]) -> Sequence[Word]:
    """Return the `docker` and the arguments of a `docker network create`, or nothing where it is no such command."""
    for start, word in enumerate(words):
        program = word.text.lstrip("-@!:+|").rpartition("/")[2]
        if program in _TALKERS:
            return ()
        if program != "docker" and word.text.strip(UNKNOWN):
            continue
        at = start + 1
        while at < len(words) and words[at].text.startswith("-"):
            at += 2 if words[at].text in _GLOBAL_VALUED else 1
        if [each.text for each in words[at : at + 2]] == ["network", "create"]:
            return (word, *words[at + 2 :])
    return ()


def _understood(words: Sequence[Word], *, is_whole: bool, is_list: bool) -> Creation:
    options: list[tuple[str, str]] = []
    names: list[Word] = []
    trouble = "" if is_whole else "shell is not understood"
    docker, *arguments = words
    rest = iter(arguments)
    for word in rest:
        if not word.text.startswith("-"):
            names.append(word)
            continue
        if word.text == "--":
            names.extend(rest)
            break
        option, equals, value = word.text.lstrip("-").partition("=")
        if not word.text.startswith("--"):
            # Short options may be run together with their value: -doverlay.
            option, value = _SHORT.get(word.text[1:2], ""), word.text[2:].removeprefix("=")
            equals = value
        if option in VALUED and not equals:
            following = next(rest, None)
            value = "" if following is None else following.text
        elif option not in VALUED and option not in _SWITCHES:
            trouble = trouble or f"option {word.text.replace(UNKNOWN, '…')} is not known"
        options.append((option, value))
    known = [each for each in names if each.is_known]
    if len(known) < len(names) and known:
        # It may be empty, a name, or any number of options.
        trouble = trouble or "arguments come partly from an expression"
    if len(known) > 1:
        trouble = trouble or "arguments are more than one name"
    return Creation(docker.place, tuple(known or names), tuple(options), trouble, is_list)
