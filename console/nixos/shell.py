"""The commands of a shell script, as words with their places. What a shell would only know when it runs is unknown."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from console.nixos.source import UNKNOWN, Text, Word

_SHELLS = ("sh", "bash", "dash", "ash", "zsh")
_ARGUMENTS = ("word", "string", "raw_string", "number", "concatenation", "simple_expansion", "expansion")


@dataclass(frozen=True, slots=True)
class Command:
    """A command with its arguments; redirections and assignments before it are left out."""

    words: tuple[Word, ...]
    is_whole: bool
    """Whether the shell's grammar took all of it."""


def commands(text: Text) -> Iterator[Command]:
    """Yield every command of a script, those in `sh -c '…'` too; not what stands in comments and here-documents."""
    # A carriage return is no part of a word for whoever wrote it, though it is one for a shell.
    content = text.content.replace(b"\\\r\n", b" \\\n").replace(b"\r\n", b" \n")
    root = Parser(Language(tree_sitter_bash.language())).parse(content).root_node
    waiting = [root]
    while waiting:
        node = waiting.pop()
        waiting.extend(reversed(node.children))
        if node.type != "command":
            continue
        arguments = [_unwrapped(each) for each in node.named_children if _is_argument(each)]
        words = tuple(Word(_value(each, content), text.places[each.start_byte]) for each in arguments)
        yield Command(words, not node.has_error)
        if len(words) > 2 and words[0].text.rpartition("/")[2] in _SHELLS:
            for option, script in pairwise(arguments):
                if _value(option, content).endswith("c") and script.type == "raw_string":
                    yield from commands(text.part(script.start_byte + 1, script.end_byte - 1))


def _is_argument(node: Node) -> bool:
    return node.type in _ARGUMENTS or node.type in ("command_name", "command_substitution", "ansi_c_string")


def _unwrapped(node: Node) -> Node:
    return node.children[0] if node.type == "command_name" and node.children else node


def _value(node: Node, content: bytes) -> str:
    raw = content[node.start_byte : node.end_byte].decode("utf-8", "replace")
    match node.type:
        case "raw_string":
            return raw[1:-1]
        case "word" | "number" | "string_content":
            return raw.replace("\\\n", "").replace("\\", "")
        case "string" | "concatenation":
            return "".join(_value(each, content) for each in node.named_children)
        case _:
            return UNKNOWN
