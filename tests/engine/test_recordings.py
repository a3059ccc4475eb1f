"""The kept answers are what an engine of their version says today."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.engine.recordings import RECORDED, record

pytestmark = pytest.mark.engine

IDENTIFIER = re.compile(r"[0-9a-f]{64}|ep-[0-9a-f]{64}")


def shape(value: Any, path: str = "") -> Iterator[str]:
    """Yield every path into an answer with the kind of value there; identifiers as keys count as one."""
    yield f"{path}: {type(value).__name__}"
    if isinstance(value, dict):
        for key, each in value.items():
            yield from shape(each, f"{path}.{IDENTIFIER.sub('ID', key)}")
    elif isinstance(value, list):
        for each in value:
            yield from shape(each, f"{path}[]")


def test_an_engine_of_the_recorded_version_still_answers_in_the_same_shape() -> None:
    version, answers = record()
    kept = {each.stem: json.loads(each.read_text()) for each in (RECORDED / version).glob("*.json")}

    # Other machines may have other engines: of those, only the recordings' completeness is known.
    assert answers.keys() == (kept or json_names()).keys()
    for name, answer in kept.items():
        if name not in {"info", "version"}:
            assert set(shape(answer)) == set(shape(answers[name])), name


def json_names() -> dict[str, None]:
    return dict.fromkeys(each.stem for each in RECORDED.glob("*/*.json"))
