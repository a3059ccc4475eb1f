"""Settings as a file: every key with what it means, as a template, as a reference, and as they are in effect.

What a key means stands below it in the classes that declare it, and is read from their source.
"""

import ast
import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, fields, is_dataclass
from pathlib import Path
from typing import Any

from console.settings import HIDDEN, LISTS, Settings, read_toml
from console.text import clean

_SETTING = re.compile(r"\w+ = ")
DEFAULT = "default"
"""Where a value comes from that no file sets."""
_HEAD = """\
# Settings of vipconsole. Three files are read, each over those before it: /etc/vipconsole/config.toml, the user's
# ~/.config/vipconsole/config.toml, and that of --config. Every key is here with its default, as a comment: take the # away
# to set one. `vipconsole config show` tells what is in effect.
"""


def reference() -> str:
    """Return every key with what it means and its default, as a file that sets them all."""
    return "\n".join(_lines(Settings())) + "\n"


def template() -> str:
    """Return the same as a file that sets nothing yet: each key is a comment."""
    lines = (f"#{line}" if _SETTING.match(line) else line for line in _lines(Settings()))
    return "\n".join((_HEAD, *lines)) + "\n"


def in_effect(settings: Settings, origins: Mapping[str, Path]) -> str:
    """Return settings as a file, each key with where it comes from; `origins` has the keys that files set."""
    lines: list[str] = []
    for name, value in _top(settings):
        lines.append(_effective(name, name, value, origins))
    for name, table in _tables(settings):
        lines += ["", f"[{name}]"]
        lines += [
            _effective(f"{name}.{key.name}", key.name, getattr(table, key.name), origins)
            for key in fields(table)
        ]
    for name in LISTS:
        for table in getattr(settings, name):
            lines += ["", f"[[{name}]]  # {_origin(name, origins)}"]
            lines += [
                f"{key.name} = {_toml(_shown(key, getattr(table, key.name)))}"
                for key in fields(table)
                if getattr(table, key.name)
            ]
    return "\n".join(lines) + "\n"


def as_json(settings: Settings, origins: Mapping[str, Path]) -> Mapping[str, Mapping[str, Any]]:
    """Return for each key, such as `quiet.dwell_s`, its value and where it comes from."""
    plain = dict(_top(settings))
    for name, table in _tables(settings):
        plain |= {f"{name}.{key.name}": getattr(table, key.name) for key in fields(table)}
    for name in LISTS:
        plain[name] = [
            {key.name: _shown(key, getattr(table, key.name)) for key in fields(table)}
            for table in getattr(settings, name)
        ]
    return {key: {"value": value, "origin": _origin(key, origins)} for key, value in plain.items()}


def origins_of(files: Sequence[Path]) -> Mapping[str, Path]:
    """Return for each key that a file sets the last one that does; files that are not there set nothing.

    They were read before, and are right: this only looks which keys are in them.
    """
    origins: dict[str, Path] = {}
    for path in files:
        try:
            data = read_toml(path)
        except (OSError, ValueError):
            continue
        for key, value in data.items():
            names = [f"{key}.{name}" for name in value] if isinstance(value, dict) else [key]
            origins.update(dict.fromkeys(names, path))
    return origins


def descriptions() -> Mapping[tuple[str, str], str]:
    """Return what each key means, by the name of its class and its own."""
    texts: dict[tuple[str, str], str] = {}
    kinds = [type(Settings()), *(type(table) for _, table in _tables(Settings())), *LISTS.values()]
    for module in dict.fromkeys(kind.__module__ for kind in kinds):
        for node in ast.parse(inspect.getsource(sys.modules[module])).body:
            if isinstance(node, ast.ClassDef):
                texts |= {(node.name, name): text for name, text in _described(node)}
    return texts


def _described(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for key, below in zip(node.body, (*node.body[1:], None), strict=True):
        if isinstance(key, ast.AnnAssign) and isinstance(key.target, ast.Name):
            is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            yield key.target.id, str(below.value.value) if is_text else ""  # type: ignore[union-attr] # is_text holds it


def _lines(settings: Settings) -> Iterator[str]:
    about = descriptions()
    for name, value in _top(settings):
        yield from _setting(name, value, about[type(settings).__name__, name])
    for name, table in _tables(settings):
        yield from ("", f"[{name}]")
        for key in fields(table):
            yield from _setting(key.name, getattr(table, key.name), about[type(table).__name__, key.name])
    for name, kind in LISTS.items():
        # No table of a list is a default: as a comment it can be copied with all the rest.
        yield from ("", *_comment(about[type(settings).__name__, name]), f"# [[{name}]]")
        for key in fields(kind):
            comment = (line.replace("# ", "#   # ", 1) for line in _comment(about[kind.__name__, key.name]))
            yield from (*comment, f"#   {key.name} = {_toml(key.default)}")


def _top(settings: Settings) -> Iterator[tuple[str, Any]]:
    """Yield the keys that stand in no table."""
    for key in fields(settings):
        value = getattr(settings, key.name)
        if key.name not in LISTS and not is_dataclass(value):
            yield key.name, value


def _tables(settings: Settings) -> Iterator[tuple[str, Any]]:
    for key in fields(settings):
        value = getattr(settings, key.name)
        if is_dataclass(value):
            yield key.name, value


def _setting(name: str, value: object, about: str) -> list[str]:
    return [*_comment(about), f"{name} = {_toml(value)}"]


def _comment(about: str) -> list[str]:
    return [f"# {line.strip()}" for line in about.splitlines() if line.strip()]


def _effective(path: str, name: str, value: object, origins: Mapping[str, Path]) -> str:
    return f"{name} = {_toml(value)}  # {_origin(path, origins)}"


def _origin(path: str, origins: Mapping[str, Path]) -> str:
    return clean(str(origins[path]), 300) if path in origins else DEFAULT


def _shown(key: Field[Any], value: Any) -> Any:
    """Return a value of a list's table as it may be shown."""
    if value and not key.repr:
        return HIDDEN
    return (value[0], *(HIDDEN,) * (len(value) - 1)) if value and isinstance(value, tuple) else value


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        # JSON escapes as TOML does, but for the one control character that JSON lets stand.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return f"{value:.12g}" if isinstance(value, float) else json.dumps(value)
