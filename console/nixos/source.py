"""What a Nix file says, as far as an edit needs it: where it is broken, and its strings with the places of their bytes.

Only tree-sitter's trees are read here; nothing is evaluated, so whatever comes from an expression is unknown.
"""

import re
from collections.abc import Iterator

import tree_sitter_nix
from tree_sitter import Language, Node, Parser

from console.frozen import frozen

UNKNOWN = "\ue000"
"""Stands for text that only an evaluation would know. It is a private character, so no file means it."""
_UNKNOWN = UNKNOWN.encode()
_PROSE = frozenset({"description", "longDescription", "example", "message", "warnings", "literalExpression"})
"""Attributes (and a function) whose texts people read and nothing runs."""
_STRINGS = ("string_expression", "indented_string_expression")
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_GAP = rb"(?:[ \t\r\n]++|#[^\r\n]*+|/\*(?>.*?\*/))*+"
_LAST_COMMA = re.compile(rb",(?=" + _GAP + rb"\})", re.DOTALL)
"""May be the comma behind the last argument of a function; it may stand in a string or in a comment as well."""


@frozen
class Text:
    """What a string comes to, and for each byte of it where in the file it comes from."""

    content: bytes
    places: tuple[int, ...]
    """As many as bytes, and one more for the end."""

    def part(self, start: int, end: int) -> "Text":
        """Return a part of it."""
        return Text(self.content[start:end], self.places[start : end + 1])


@frozen
class Word:
    """One word of a command: its text, with `UNKNOWN` for every piece that is not known, and where it begins."""

    text: str
    place: int

    @property
    def is_known(self) -> bool:
        """Whether the whole of it is known."""
        return UNKNOWN not in self.text


class NixSource:
    """A Nix file in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._root = _parse(data)

    def line(self, place: int) -> int:
        """Return the number of the line in which a byte stands; the first is 1."""
        return self.data.count(b"\n", 0, place) + 1

    def first_unreadable_line(self) -> int | None:
        """Return the first line that the grammar cannot read, or None where it reads all. Nix may read more."""
        if not self._root.has_error:
            return None
        first = next((node for node in _walk(self._root) if node.is_error or node.is_missing), self._root)
        return self.line(first.start_byte)

    def leaves(self) -> tuple[tuple[str, bytes], ...]:
        """Return everything that has no parts, in order, each with its kind; comments are left out."""
        return tuple(
            (node.type, self.data[node.start_byte : node.end_byte])
            for node in _walk(self._root)
            if not node.child_count and node.type != "comment"
        )

    def texts(self) -> Iterator[Text]:
        """Yield the strings that something may run."""
        return (self._text(node) for node in self._of(_STRINGS))

    def lists(self) -> Iterator[tuple[Word, ...]]:
        """Yield the lists, each element a word; one that is no string is unknown."""
        for node in self._of(("list_expression",)):
            yield tuple(
                Word(
                    _decode(self._text(item).content) if item.type in _STRINGS else UNKNOWN,
                    item.start_byte,
                )
                for item in node.named_children
                if item.type != "comment"
            )

    def _of(self, kinds: tuple[str, ...]) -> Iterator[Node]:
        return (node for node in _walk(self._root) if node.type in kinds and not self._is_prose(node))

    def _is_prose(self, node: Node) -> bool:
        holder: Node | None = node
        while holder is not None and holder.type not in ("binding", "interpolation"):
            function = holder.child_by_field_name("function")
            if function is not None and self._last_name(function) in _PROSE:
                return True
            holder = holder.parent
        path = None if holder is None else holder.child_by_field_name("attrpath")
        return path is not None and self._last_name(path) in _PROSE

    def _last_name(self, node: Node) -> str:
        return _decode(self.data[node.start_byte : node.end_byte].rsplit(b".", 1)[-1])

    def _text(self, node: Node) -> Text:
        content, places = bytearray(), []
        for child in node.named_children:
            raw = self.data[child.start_byte : child.end_byte]
            match child.type:
                case "string_fragment":
                    piece = raw
                case "escape_sequence":
                    piece = b"''" if raw == b"'''" else _ESCAPES.get(raw[-1:], raw[-1:])
                case "interpolation":
                    piece = self._binding_value(child) or _UNKNOWN
                case _:  # what makes the next `$` a plain one
                    continue
            content += piece
            is_literal = child.type == "string_fragment"
            places += [child.start_byte + (index if is_literal else 0) for index in range(len(piece))]
        closing = node.children[-1].start_byte
        return Text(bytes(content), (*places, closing))

    def _binding_value(self, interpolation: Node) -> bytes | None:
        """Return the single word that an interpolated name is bound to in this file, or None where it is not known."""
        inner = interpolation.named_children
        if len(inner) != 1 or inner[0].type != "variable_expression":
            return None
        name = self._bytes(inner[0])
        scope: Node | None = interpolation.parent
        while scope is not None:
            if scope.type == "function_expression" and name in self._arguments(scope):
                return None
            if scope.type in ("let_expression", "rec_attrset_expression"):
                for binding in _bindings(scope):
                    if binding.type != "binding":
                        if name in (
                            self._bytes(node) for node in _walk(binding) if node.type == "identifier"
                        ):
                            return None
                    elif self._bytes(binding.children[0]) == name:
                        return self._plain_word(binding.child_by_field_name("expression"))
            scope = scope.parent
        return None

    def _arguments(self, function: Node) -> set[bytes]:
        body = function.child_by_field_name("body")
        names = set()
        for child in function.children:
            if child == body:
                continue
            formals = [node for node in child.named_children if node.type == "formal"]
            names |= {self._bytes(formal.children[0]) for formal in formals}
            if child.type == "identifier":
                names.add(self._bytes(child))
        return names

    def _plain_word(self, node: Node | None) -> bytes | None:
        if node is None or node.type not in _STRINGS:
            return None
        content = self._text(node).content
        return content if content and _UNKNOWN not in content and len(content.split()) == 1 else None

    def _bytes(self, node: Node) -> bytes:
        return self.data[node.start_byte : node.end_byte]


def _parse(data: bytes) -> Node:
    """Return the tree of a file.

    The grammar does not know the comma that Nix allows behind the last argument of a function, and formatters write. So
    a copy is parsed in which it is a space: every byte of the file keeps its place.
    """
    parser = Parser(Language(tree_sitter_nix.language()))
    root = parser.parse(data).root_node
    commas = [match.start() for match in _LAST_COMMA.finditer(data)] if root.has_error else []
    while commas:
        copy = bytearray(data)
        for place in commas:
            copy[place] = ord(" ")
        candidate = parser.parse(bytes(copy)).root_node
        right = [place for place in commas if _follows_argument(candidate, place)]
        if right == commas:
            return candidate
        # What else looks like such a comma stays as it is: it is text, a comment, or not allowed by Nix.
        commas = right
    return root


def _follows_argument(root: Node, place: int) -> bool:
    holder = root.descendant_for_byte_range(place, place + 1)
    if holder is None or holder.type != "formals":
        return False
    before = [child for child in holder.children if child.end_byte <= place and child.type != "comment"]
    return bool(before) and before[-1].type == "formal"


def _decode(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _bindings(scope: Node) -> list[Node]:
    return [node for child in scope.children if child.type == "binding_set" for node in child.named_children]


def _walk(root: Node) -> Iterator[Node]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.children))
