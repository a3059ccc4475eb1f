"""Commands that create a Docker network, understood as `docker network create` itself reads its arguments."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import pairwise

from console.frozen import frozen
from console.nixos.shell import PRINTING_COMMANDS, Script, ShellCommand, program_name, script_of
from console.nixos.source import UNKNOWN, NixSource, Text, Word

_ADDRESSES = ("aux-address", "gateway", "ip-range", "subnet")
VALUED = frozenset((*_ADDRESSES, "config-from", "driver", "ipam-driver", "ipam-opt", "label", "opt", "scope"))
"""Options of `docker network create` that take a value."""
_SWITCHES = frozenset(["attachable", "config-only", "ingress", "internal", "ipv4", "ipv6", "help"])
_SHORT = {"d": "driver", "o": "opt"}
_GLOBAL_VALUED = frozenset(
    ("--host", "-H", "--context", "-c", "--config", "--log-level", "-l", "--tlscacert")
)
_MENTION = re.compile(rb"(?<![\w-])networks?[\s\"',;=()\[\]{}\\.+/]{1,40}create(?![\w-])")
"""However the two words are written one after the other: in a command, in a list, in another language."""
_EXPANSION = re.compile(rb"[$`]|" + UNKNOWN.encode())
_OTHER_DRIVER = re.compile(rb"(?:-d|--driver)[\s=\"',]*(?:bridge|macvlan|ipvlan|host|none)\b")
_OTHER_PROGRAM = re.compile(
    rb"(?:podman(?:-remote)?|nerdctl|openstack|hcloud|incus|lxc)[\"']?[ \t]+(?:-\S+[ \t]+)*\Z"
)
"""Programs that create networks of their own, never one of Docker's."""
_REACH = 200
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
_ENDS_HERE = re.compile(rb"\s*[\"'](?!\s*,)")
"""The end of a string: what the network is called stands elsewhere."""
_END_OF_LINE = re.compile(rb"(?<!\\)\n|\Z")


@frozen
class NetworkCreateCommand:
    """One command that creates a network."""

    place: int
    """Where in the file it begins."""
    verb: tuple[int, int]
    """Where its words `network` and `create` begin."""
    names: tuple[Word, ...]
    """What may be the network's name: one word normally, none where the name comes from elsewhere."""
    options: tuple[tuple[str, str], ...]
    """Long names without dashes, and values ("" for switches)."""
    trouble: str = ""
    """What about it is unknown, as what follows "its"; empty where all is known."""
    is_list: bool = False
    """Whether its words are strings of a Nix list, and not of a shell command."""

    def values(self, option: str) -> tuple[str, ...]:
        """Return every value that an option is given."""
        return tuple(value for name, value in self.options if name == option)


class Use(StrEnum):
    """What becomes of a text that speaks of creating a network and is no command where it stands."""

    OUTPUT = "said"
    """It is printed."""
    COMMENT = "comment"
    """It is a comment of a script."""
    UNCLEAR = "unclear"
    """It may run, in a way that is not understood."""


@frozen
class Mention:
    """A text that speaks of creating a network and is no command where it stands."""

    place: int
    use: Use
    rest: bytes
    """What follows on its line."""

    def names(self, network: str) -> bool:
        """Whether it speaks of this network by its name."""
        return (
            re.search(rb"(?<![\w.-])" + re.escape(network.encode()) + rb"(?![\w.-])", self.rest) is not None
        )

    def may_create(self, network: str) -> bool:
        """Whether it may create this network as an overlay."""
        if _OTHER_DRIVER.search(self.rest):
            return False
        if self.names(network) or _EXPANSION.search(self.rest) or _ENDS_HERE.match(self.rest):
            return True
        pieces = (token.strip("\"'(),[]{};") for token in self.rest.decode("utf-8", "replace").split())
        words = [Word(piece, 0) for piece in pieces if piece]
        docker = Word("docker", 0)
        return not any(
            name.is_known for name in _parse_arguments(docker, (docker,), words, "", is_list=False).names
        )


@frozen
class CreateCommands:
    """Everything in a Nix file that creates a Docker network, or speaks of it."""

    creations: tuple[NetworkCreateCommand, ...]
    mentions: tuple[Mention, ...]


def find_creations(source: NixSource) -> CreateCommands:
    """Return what creates a Docker network in a Nix file: in its strings, and as lists of arguments."""
    creations_by_place: dict[int, NetworkCreateCommand] = {}
    scripts: list[tuple[Text, Script]] = []
    for text in source.texts():
        if b"network" not in text.content and b"create" not in text.content:
            continue
        script = script_of(text)
        scripts.append((text, script))
        for command in script.commands:
            if creation := _creation(command):
                # What `eval` is given in several words is found twice.
                creations_by_place[creation.place] = creation
    lists = tuple(source.lists())
    for words in lists:
        if creation := _creation(ShellCommand(words, is_whole=True), is_list=True):
            creations_by_place[creation.place] = creation
    creations = tuple(sorted(creations_by_place.values(), key=lambda creation: creation.place))
    mentions = [*_mentions_in_scripts(scripts), *_mentions_in_lists(lists)]
    return CreateCommands(
        creations,
        tuple(
            mention
            for mention in sorted(mentions, key=lambda mention: mention.place)
            if not any(command.verb[0] <= mention.place <= command.verb[1] for command in creations)
        ),
    )


def _mentions_in_scripts(scripts: Sequence[tuple[Text, Script]]) -> Iterator[Mention]:
    for text, script in scripts:
        for command in script.commands:
            if _is_rest(command.words):
                yield _mention(command.words[0].place, command.words[1:])
        for match in _MENTION.finditer(text.content):
            if _OTHER_PROGRAM.search(text.content, max(0, match.start() - _REACH), match.start()):
                continue
            end = _END_OF_LINE.search(text.content, match.end())
            rest = text.content[match.end() : end.start() if end else None]
            yield Mention(text.places[match.start()], _use(text.places[match.start()], script), rest)


def _mentions_in_lists(lists: Sequence[Sequence[Word]]) -> Iterator[Mention]:
    for words in lists:
        if _is_rest(words):
            yield _mention(words[0].place, words[1:])
        for at, (first, second) in enumerate(pairwise(words)):
            if (first.text, second.text) == ("network", "create"):
                yield _mention(first.place, words[at + 2 :])


def _mention(place: int, rest: Sequence[Word]) -> Mention:
    return Mention(place, Use.UNCLEAR, " ".join(word.text for word in rest).encode())


def _use(place: int, script: Script) -> Use:
    for passage in script.passages:
        if passage.start <= place < passage.end and not passage.is_used:
            return Use.COMMENT if passage.is_comment else Use.OUTPUT
    for command in script.commands:
        if command.words and command.words[0].place <= place <= command.end and _only_prints(command, script):
            return Use.OUTPUT
    return Use.UNCLEAR


def _only_prints(command: ShellCommand, script: Script) -> bool:
    return command.program in PRINTING_COMMANDS - script.functions and not command.is_used


def _creation(command: ShellCommand, *, is_list: bool = False) -> NetworkCreateCommand | None:
    """Return what a command creates, or None where it is no `docker network create`."""
    words = command.words
    trouble = "" if command.is_whole else "shell is not understood"
    for start, word in enumerate(words):
        program = program_name(word)
        if program in PRINTING_COMMANDS:
            return None
        if program != "docker" and word.text.strip(UNKNOWN):
            continue
        at = start + 1
        while at < len(words) and words[at].text.startswith("-"):
            at += 2 if words[at].text in _GLOBAL_VALUED else 1
        verb = [word.text for word in words[at : at + 2]]
        if verb == ["network", "create"]:
            return _parse_arguments(word, words[at : at + 2], words[at + 2 :], trouble, is_list=is_list)
        # A word that only the shell, or an evaluation, knows may be the missing one.
        if "overlay" not in " ".join(word.text for word in words[at:]):
            continue
        if verb in (["network", UNKNOWN], [UNKNOWN, "create"]):
            trouble = "subcommand comes from an expression"
            return _parse_arguments(word, words[at : at + 2], words[at + 2 :], trouble, is_list=is_list)
        if program != "docker" and verb[:1] == ["create"]:
            trouble = "command comes from an expression"
            return _parse_arguments(word, (word, words[at]), words[at + 1 :], trouble, is_list=is_list)
    return None


def _as_name(word: Word) -> Word:
    """Return a word as the name of a network; what can be none is put in by another program: `{}`, `%i`, `@net@`."""
    return word if not word.is_known or _NAME.fullmatch(word.text) else replace(word, text=UNKNOWN)


def _is_rest(words: Sequence[Word]) -> bool:
    """Whether words are the end of a command whose beginning stands elsewhere."""
    return bool(words) and words[0].text == "create" and "overlay" in " ".join(word.text for word in words)


def _parse_arguments(
    docker: Word, verb: Sequence[Word], arguments: Sequence[Word], trouble: str, *, is_list: bool
) -> NetworkCreateCommand:
    options: list[tuple[str, str]] = []
    names: list[Word] = []
    rest = iter(arguments)
    for word in rest:
        if not word.text.startswith("-"):
            names.append(_as_name(word))
            continue
        if word.text == "--":
            names.extend(_as_name(argument) for argument in rest)
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
            trouble = trouble or f"option {word.text.replace(UNKNOWN, '…')} is unknown"
        options.append((option, value))
    literal_names = [name for name in names if name.is_known]
    if len(literal_names) < len(names) and literal_names:
        # It may be empty, a name, or any number of options.
        trouble = trouble or "arguments come partly from an expression"
    if len(literal_names) > 1:
        trouble = trouble or "arguments are more than one name"
    places = (verb[0].place, verb[-1].place)
    return NetworkCreateCommand(
        docker.place, places, tuple(literal_names or names), tuple(options), trouble, is_list
    )
