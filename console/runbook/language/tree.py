"""YAML 1.2 as plain data with the place of everything in it, and only as much of YAML as a runbook needs.

Whatever makes YAML dangerous or ambiguous is refused: anchors, aliases, merge keys, tags, directives, several
documents, keys twice, keys that are no texts, numbers that another reader takes for something else. What a scalar means
is decided by the core schema of YAML 1.2: `on`, `no`, `1e3` and `2026-06-12` are texts, `true`, `null` and `12` are not.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from ruamel.yaml import YAML, events
from ruamel.yaml.error import MarkedYAMLError, StringMark, YAMLError

from console.errors import DAMAGE
from console.frozen import frozen
from console.runbook.language.checking import Path, display_text
from console.runbook.language.values import Json, SourcePosition
from console.text import clean

MAX_DEPTH = 16
MAX_NODES = 2_000
MAX_FLAWS = 50
"""How many problems are shown at once; nobody fixes more in one go."""

_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_IMPOSSIBLE = re.compile("[\x00\ud800-\udfff]")
"""Characters that escapes can write and no program accepts."""
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_LONGEST_NUMBER = 18
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


NOWHERE = SourcePosition(1, 1)

Scalar: TypeAlias = bool | int | float | str | None


@frozen
class Flaw:
    """Something that is wrong with a file."""

    place: SourcePosition
    message: str


@frozen
class YamlNode:
    """A value and where it stands."""

    value: "Value"
    place: SourcePosition
    keys: Mapping[str, SourcePosition] = field(default_factory=dict)
    """Of a mapping, where each key stands."""

    @classmethod
    def of(cls, value: Json, place: SourcePosition = NOWHERE) -> "YamlNode":
        """Return data that stands in no file as if all of it stood at one place."""
        if isinstance(value, dict):
            return cls({key: cls.of(item, place) for key, item in value.items()}, place)
        return (
            cls([cls.of(item, place) for item in value], place)
            if isinstance(value, list)
            else cls(value, place)
        )

    def plain(self) -> Json:
        """Return the value without its places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def at(self, path: Path) -> "YamlNode":
        """Return the node that a path leads to, or the last one on the way that is there."""
        here = self
        for step in path:
            inside = here.child(step)
            if inside is None:
                break
            here = inside
        return here

    def child(self, step: str | int) -> "YamlNode | None":
        """Return what stands under a key or at an index, or None."""
        if isinstance(self.value, dict) and isinstance(step, str):
            return self.value.get(step)
        if isinstance(self.value, list) and isinstance(step, int) and 0 <= step < len(self.value):
            return self.value[step]
        return None

    def place_of(self, path: Path, *, is_about_key: bool = False) -> SourcePosition:
        """Return where the value at a path stands, or its key, or what is nearest to them."""
        if is_about_key and path and isinstance(path[-1], str):
            holder = self.at(path[:-1])
            return holder.keys.get(path[-1], holder.place)
        return self.at(path).place

    def walk(self, path: Path = ()) -> "Iterator[tuple[Path, YamlNode]]":
        """Yield everything in it with its path, itself first."""
        yield path, self
        if isinstance(self.value, dict):
            for key, node in self.value.items():
                yield from node.walk((*path, key))
        elif isinstance(self.value, list):
            for index, node in enumerate(self.value):
                yield from node.walk((*path, index))


Value: TypeAlias = Scalar | list[YamlNode] | dict[str, YamlNode]


def read_tree(text: str) -> tuple[YamlNode | None, tuple[Flaw, ...]]:
    """Return the data of a YAML text, or what is wrong with it. It is bounded in time and memory by the text's length."""
    reader = _TreeReader()
    try:
        with warnings.catch_warnings():
            # An anchor that is used twice is only warned of; every anchor is refused here.
            warnings.simplefilter("ignore")
            for event in YAML(typ="safe", pure=True).parse(text):
                reader.take(event)
                if reader.is_over:
                    break
    except MarkedYAMLError as error:
        reader.refuse(_place(error.problem_mark or error.context_mark), _explain(error, text))
    except YAMLError as error:
        reader.refuse(SourcePosition(1, 1), f"this is not YAML: {clean(str(error), 200)}")
    except (*DAMAGE, AssertionError):
        # The library looks neither at what an escape such as "\UFFFFFFFF" is, nor at the digits of a version; it only asserts
        # that it knows the version.
        message = "this is not YAML: right after this, an escape is invalid or a version is unknown"
        reader.refuse(reader.last, message)
    flaws = tuple(reader.flaws)
    return (None, flaws) if flaws else (reader.root, ())


@dataclass(slots=True)
class _OpenCollection:
    """A mapping or a list that is not at its end yet."""

    place: SourcePosition
    value: dict[str, YamlNode] | list[YamlNode]
    keys: dict[str, SourcePosition] = field(default_factory=dict)
    key: str | None = None
    """The key whose value comes next."""
    awaits_value: bool = False


class _TreeReader:
    def __init__(self) -> None:
        self.root: YamlNode | None = None
        self.flaws: list[Flaw] = []
        self.last = SourcePosition(1, 1)
        """Where the last token begins."""
        self._open: list[_OpenCollection] = []
        self._nodes = 0
        self._documents = 0
        self._is_over = False

    @property
    def is_over(self) -> bool:
        """Whether nothing more needs to be read."""
        return self._is_over or len(self.flaws) >= MAX_FLAWS

    def refuse(self, place: SourcePosition, message: str) -> None:
        self.flaws.append(Flaw(place, message))

    def take(self, event: events.Event) -> None:
        self.last = place = _place(event.start_mark)
        match event:
            case events.DocumentStartEvent():
                self._begin_document(place, event)
            case events.AliasEvent():
                self.refuse(place, "aliases (*) are not allowed: write the value out again")
                self._put(YamlNode(None, place))
            case events.ScalarEvent():
                self._count(place)
                self._refuse_extras(place, event)
                self._scalar(place, event)
            case events.MappingStartEvent() | events.SequenceStartEvent():
                self._count(place)
                self._refuse_extras(place, event)
                self._open.append(
                    _OpenCollection(place, {} if isinstance(event, events.MappingStartEvent) else [])
                )
                if len(self._open) > MAX_DEPTH:
                    self._stop(place, f"nested more than {MAX_DEPTH} deep")
            case events.MappingEndEvent() | events.SequenceEndEvent():
                collection = self._open.pop()
                self._put(YamlNode(collection.value, collection.place, collection.keys))

    def _begin_document(self, place: SourcePosition, event: events.DocumentStartEvent) -> None:
        self._documents += 1
        if event.version is not None or event.tags:
            self.refuse(place, "directives (%) are not allowed: a runbook is plain YAML 1.2")
        if self._documents > 1:
            self._stop(place, "a second document begins here: a runbook has only one")

    def _count(self, place: SourcePosition) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._stop(place, f"more than {MAX_NODES} keys and values")

    def _stop(self, place: SourcePosition, message: str) -> None:
        self.refuse(place, message)
        self._is_over = True

    def _refuse_extras(self, place: SourcePosition, event: events.NodeEvent) -> None:
        if event.anchor:
            self.refuse(place, "anchors (&) are not allowed")
        if getattr(event, "ctag", None) is not None:
            self.refuse(place, "tags (!) are not allowed: the schema of runbooks gives the types")

    def _scalar(self, place: SourcePosition, event: events.ScalarEvent) -> None:
        is_plain = event.style is None or event.style == ""
        if _IMPOSSIBLE.search(event.value):
            self.refuse(place, "this text contains NUL or half a character")
        if self._awaits_key():
            self._key(place, event.value, is_plain=is_plain)
            return
        value: Scalar
        try:
            value = meaning_of(event.value) if is_plain else event.value
        except ValueError as error:
            self.refuse(place, str(error))
            value = None
        self._put(YamlNode(value, place))

    def _awaits_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].value, dict) and not self._open[-1].awaits_value

    def _key(self, place: SourcePosition, text: str, *, is_plain: bool) -> None:
        holder = self._open[-1]
        holder.awaits_value, holder.key = True, text
        if is_plain and text == "<<":
            self.refuse(place, "merge keys (<<) are not allowed: write the keys out")
        elif is_plain and not _is_text(text):
            self.refuse(
                place,
                f"the key {display_text(text) or 'here'} is not a text: quote it"
                if text
                else "a key is missing",
            )
        elif text in holder.keys:
            self.refuse(
                place, f"the key {display_text(text)} appears twice: first in line {holder.keys[text].line}"
            )
        else:
            holder.keys[text] = place
            return
        holder.key = None

    def _put(self, node: YamlNode) -> None:
        if not self._open:
            self.root = node
            return
        holder = self._open[-1]
        if isinstance(holder.value, list):
            holder.value.append(node)
        elif not holder.awaits_value:
            self.refuse(node.place, "a key must be a text")
            holder.awaits_value, holder.key = True, None
        else:
            if holder.key is not None:
                holder.value[holder.key] = node
            holder.awaits_value = False


def meaning_of(text: str) -> Scalar:
    """Return what a plain scalar means in YAML 1.2's core schema. Raises ValueError where readers do not agree on it."""
    if text in _WORDS:
        return _WORDS[text]
    if _NO_NUMBER.fullmatch(text):
        raise ValueError(f"{text} is not a number that a runbook can use: quote it if it is a text")
    for pattern, read in _NUMBERS:
        if pattern.fullmatch(text):
            if len(text) > _LONGEST_NUMBER:
                raise ValueError("this number is too long: quote it if it is a text")
            return read(text)
    return text


def _integer(text: str) -> int:
    digits = text.lstrip("-+")
    if len(digits) > 1 and digits.startswith("0"):
        raise ValueError(
            f"{text} begins with a zero, which some programs read as octal: remove the zero, or quote it"
        )
    return int(text)


_NUMBERS: tuple[tuple[re.Pattern[str], Callable[[str], int | float]], ...] = (
    (_INTEGER, _integer),
    (_BASED, lambda text: int(text[2:], 8 if text[1] == "o" else 16)),
    (_FLOAT, float),
)


def _is_text(text: str) -> bool:
    try:
        return isinstance(meaning_of(text), str)
    except ValueError:
        return False


def _place(mark: StringMark | None) -> SourcePosition:
    return SourcePosition(1, 1) if mark is None else SourcePosition(mark.line + 1, mark.column + 1)


def _explain(error: MarkedYAMLError, text: str) -> str:
    mark = error.problem_mark
    lines = _LINE_ENDS.split(text)
    line = lines[mark.line] if mark is not None and mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())] or "'\\t'" in str(error.problem):
        return "this is a tab: YAML is indented with spaces only"
    problem = " ".join(str(part).strip() for part in (error.context, error.problem) if part)
    hint = "; quote a text that contains ${…}" if "${" in line else ""
    return f"this is not YAML: {clean(problem, 200)}{hint}"
