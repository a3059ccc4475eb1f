"""An entry in the JSON of `journalctl -o json`, taken apart. Pure.

A field that is no UTF-8 is an array of numbers, one given several times an array of values, and one longer than
4096 bytes null unless `--all` was given ("Journal JSON Format" of systemd.io).
"""

import json
from typing import Any


def fields_from_json(line: bytes) -> dict[str, object]:
    """Return the fields of one line. Raises ValueError when it is no entry."""
    try:
        found = json.loads(line)
    except RecursionError as problem:
        raise ValueError("nested too deeply to be an entry") from problem
    if not isinstance(found, dict):
        raise ValueError("an entry is an object")  # noqa: TRY004 -- callers handle one error for all nonsense
    return {key: _value(value) for key, value in found.items()}


def _value(value: Any) -> object:
    if not isinstance(value, list):
        return value
    if all(isinstance(each, int) and 0 <= each <= 255 for each in value):
        return bytes(value)
    return [_value(each) for each in value]
