"""The commands of a shell script, as words with their places. What a shell would only know when it runs is unknown."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from console.frozen import frozen
from console.nixos.source import UNKNOWN, Text, Word

SHELLS = frozenset(("sh", "bash", "dash", "ash", "zsh"))
PRINTING_COMMANDS = frozenset(
    ("echo", "printf", ":", "true", "false", "log", "logger", "info", "warn", "die", "grep")
)
"""Commands that only print their arguments."""
_SCRIPT_OPTION = re.compile(r"-[A-Za-z]*c|--(?:session-)?command|--run")
"""What comes before a script: `bash -ec`, `su -c`, `nix-shell --run`."""
_WRAPPERS = frozenset(
    ("builtin", "command", "doas", "env", "exec", "nice", "nohup", "setsid", "sudo", "time", "timeout")
)
_PASSING_ON = frozenset((*SHELLS, "at", "batch", "parallel", "ssh", "sudo", "tee", "xargs"))
"""What may run or store its input in a pipeline."""
_QUOTED = ("string", "raw_string", "concatenation")
_ARGUMENTS = (*_QUOTED, "word", "number", "simple_expansion", "expansion")
_EXECUTED = re.compile(
    rb"\A\s*[-@!:+|]+(?=[\w/\"'\xee])|^[ \t]*Exec[A-Z]\w*[ \t]*=[ \t]*[-@!:+|]*", re.MULTILINE
)
"""What systemd takes from the front of a command line: its prefixes, and the name where a unit file is written out."""


@frozen
class ShellCommand:
    """A command with its arguments; redirections and assignments before it are left out."""

    words: tuple[Word, ...]
    is_whole: bool
    """Whether the shell's grammar understood all of it."""
    end: int = 0
    """Where in the file it ends."""
    is_used: bool = False
    """Whether what it prints goes into a file or to a program that may run it."""

    @property
    def program(self) -> str:
        """The name of what runs, behind `sudo` and the like; "" where that is not known."""
        for word in self.words:
            name = program_name(word)
            if name not in _WRAPPERS and not word.text.startswith("-") and not _is_setting(word.text):
                return "" if UNKNOWN in name else name
        return ""


@frozen
class Passage:
    """A part of a script that no shell runs as it is: from one place in the file to another."""

    start: int
    end: int
    is_comment: bool
    """A here-document otherwise."""
    is_used: bool = False
    """For a here-document: whether it goes into a file or to a program that may run it."""


@frozen
class Script:
    """What a script consists of; scripts that it holds are taken apart too."""

    commands: tuple[ShellCommand, ...]
    passages: tuple[Passage, ...]
    functions: frozenset[str]
    """Names that it defines itself."""


def program_name(word: Word) -> str:
    """Return the name of the program that a word would run: without systemd's prefixes, and without its folder."""
    return word.text.lstrip("-@!:+|").rpartition("/")[2]


def script_of(text: Text) -> Script:
    """Return what a script consists of."""
    # A carriage return belongs to a word for a shell, but its author did not mean it.
    content = text.content.replace(b"\\\r\n", b" \\\n").replace(b"\r\n", b" \n")
    content = _EXECUTED.sub(lambda match: b" " * len(match[0]), content)
    return _Reader(replace(text, content=content)).read()


class _Reader:
    """Takes one script apart."""

    def __init__(self, text: Text) -> None:
        self._text = text
        self._commands: list[ShellCommand] = []
        self._passages: list[Passage] = []
        self._functions: set[str] = set()

    def read(self) -> Script:
        waiting = [Parser(Language(tree_sitter_bash.language())).parse(self._text.content).root_node]
        while waiting:
            node = waiting.pop()
            waiting.extend(reversed(node.children))
            match node.type:
                case "command":
                    self._take_command(node)
                case "comment":
                    self._passages.append(self._passage(node))
                case "heredoc_body":
                    self._take_document(node)
                case "function_definition":
                    name = node.child_by_field_name("name")
                    self._functions |= (
                        {self._content(name).content.decode("utf-8", "replace")} if name else set()
                    )
        return Script(tuple(self._commands), tuple(self._passages), frozenset(self._functions))

    def _take_command(self, node: Node) -> None:
        arguments = [_unwrap(child) for child in node.named_children if _is_argument(child)]
        words = self._words(arguments)
        command = ShellCommand(
            words, not node.has_error, self._text.places[node.end_byte], _is_used(node, self._text)
        )
        self._commands.append(command)
        if command.program in ("eval", "trap"):
            first = 1 + next(at for at, word in enumerate(words) if program_name(word) == command.program)
            script = arguments[first:] if command.program == "eval" else arguments[first : first + 1]
            self._take_script(_join([self._content(part) for part in script]))
        for option, argument in pairwise(arguments):
            if command.program in PRINTING_COMMANDS or argument.type not in _QUOTED:
                continue
            if _SCRIPT_OPTION.fullmatch(_decode(self._content(option))):
                self._take_script(self._content(argument))
        if _reads_script(words):
            for child in node.children:
                if child.type == "herestring_redirect":
                    self._take_script(_join([self._content(part) for part in child.named_children]))

    def _take_document(self, node: Node) -> None:
        holder = node.parent
        while holder is not None and holder.type != "redirected_statement":
            holder = holder.parent
        body = None if holder is None else holder.child_by_field_name("body")
        words = () if body is None else self._words(_arguments(body))
        if _reads_script(words):
            self._take_script(self._text.part(node.start_byte, node.end_byte))
            return
        is_shown = bool(words) and program_name(words[0]) == "cat"
        self._passages.append(self._passage(node, is_used=not is_shown or _is_used(node, self._text)))

    def _take_script(self, text: Text) -> None:
        script = script_of(text)
        self._commands += script.commands
        self._passages += script.passages
        self._functions |= script.functions

    def _passage(self, node: Node, *, is_used: bool = False) -> Passage:
        start, end = self._text.places[node.start_byte], self._text.places[node.end_byte]
        return Passage(start, end, node.type == "comment", is_used)

    def _words(self, arguments: Sequence[Node]) -> tuple[Word, ...]:
        return tuple(
            Word(_decode(self._content(argument)), self._text.places[argument.start_byte])
            for argument in arguments
        )

    def _content(self, node: Node) -> Text:
        """Return what a word comes to for a shell that has read it."""
        match node.type:
            case "raw_string":
                return self._text.part(node.start_byte + 1, node.end_byte - 1)
            case "string":
                return self._unescape(node, node.start_byte + 1, node.end_byte - 1, b'\\"$`')
            case "concatenation":
                return _join([self._content(child) for child in node.children], b"")
            case "word" | "number" | "variable_name":
                return self._unescape(node, node.start_byte, node.end_byte, None)
            case _ if not node.is_named:
                return self._text.part(node.start_byte, node.end_byte)
            case _:
                places = self._text.places
                length = len(UNKNOWN.encode())
                return Text(UNKNOWN.encode(), (*[places[node.start_byte]] * length, places[node.end_byte]))

    def _unescape(self, node: Node, start: int, end: int, escapable: bytes | None) -> Text:
        """Return a piece without the backslashes that a shell takes away; an expansion in it is unknown."""
        raw, places = self._text.content, self._text.places
        expansions = {
            child.start_byte: child for child in node.named_children if child.type != "string_content"
        }
        content, byte_places, at = bytearray(), [], start
        while at < end:
            expansion = expansions.get(at)
            length = 1
            if expansion is not None and expansion.end_byte > at:
                piece, length = UNKNOWN.encode(), expansion.end_byte - at
            elif raw[at : at + 2] == b"\\\n":
                piece, length = b"", 2
            elif raw[at] == ord("\\") and at + 1 < end and (escapable is None or raw[at + 1] in escapable):
                piece, length = raw[at + 1 : at + 2], 2
            else:
                piece = raw[at : at + 1]
            content += piece
            byte_places += [places[at]] * len(piece)
            at += length
        return Text(bytes(content), (*byte_places, places[end]))


def _is_argument(node: Node) -> bool:
    return node.type in _ARGUMENTS or node.type in ("command_name", "command_substitution", "ansi_c_string")


def _unwrap(node: Node) -> Node:
    return node.children[0] if node.type == "command_name" and node.children else node


def _arguments(node: Node) -> list[Node]:
    """Return the arguments of all commands in a part of a script."""
    arguments, waiting = [], [node]
    while waiting:
        part = waiting.pop()
        if part.type == "command":
            arguments += [_unwrap(child) for child in part.named_children if _is_argument(child)]
        else:
            waiting.extend(reversed(part.children))
    return arguments


def _is_used(node: Node, text: Text) -> bool:
    """Whether what a command prints, or what a here-document holds, goes where something may run it."""
    inner, holder = node, node.parent
    while holder is not None:
        if holder.type in ("command_substitution", "process_substitution"):
            return True
        if holder.type == "redirected_statement" and any(
            _keeps(child, text) for child in holder.children if child.type == "file_redirect"
        ):
            return True
        if holder.type == "pipeline" and any(
            _passes_on(child, text) for child in holder.children if child.start_byte >= inner.end_byte
        ):
            return True
        if holder.type == "heredoc_redirect" and any(
            child.type == "pipeline" and _passes_on(child, text) for child in holder.children
        ):
            return True
        inner, holder = holder, holder.parent
    return False


def _keeps(redirect: Node, text: Text) -> bool:
    target = redirect.child_by_field_name("destination")
    raw = text.content[redirect.start_byte : redirect.end_byte]
    return (
        target is not None
        and b">" in raw
        and b"&" not in raw
        and text.content[target.start_byte : target.end_byte]
        not in (b"/dev/null", b"/dev/stderr", b"/dev/stdout")
    )


def _passes_on(node: Node, text: Text) -> bool:
    names = [text.content[argument.start_byte : argument.end_byte] for argument in _arguments(node)]
    return any(
        UNKNOWN.encode() in name
        or name.startswith(b"$")
        or name.rpartition(b"/")[2].decode("utf-8", "replace") in _PASSING_ON
        for name in names
    )


def _join(texts: Sequence[Text], between: bytes = b" ") -> Text:
    content, places, end = bytearray(), [], 0
    for text in texts:
        if content:
            content += between
            places += [text.places[0]] * len(between)
        content += text.content
        places += text.places[:-1]
        end = text.places[-1]
    return Text(bytes(content), (*places, end))


def _reads_script(words: Sequence[Word]) -> bool:
    """Whether a command is a shell that takes its script from its standard input."""
    at = next((at for at, word in enumerate(words) if program_name(word) in SHELLS), None)
    return at is not None and all(word.text.startswith("-") for word in words[at + 1 :])


def _is_setting(text: str) -> bool:
    return re.match(r"\w+=", text) is not None


def _decode(text: Text) -> str:
    return text.content.decode("utf-8", "replace")
