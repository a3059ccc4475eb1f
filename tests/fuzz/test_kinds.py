"""A few fixed examples of every kind of hostile input: what fuzzing runs, still runs."""

import pytest

from tests.fuzz.fuzzing import fixed
from tests.fuzz.kinds import KINDS

pytestmark = pytest.mark.process
EXAMPLES = {"recorder": 2, "environment": 5, "wire": 6, "databases": 4, "files": 6}
"""Of those that take longer; else there are ten."""


@pytest.mark.parametrize("kind", KINDS)
def test_the_program_copes_with_a_little_of_every_kind(kind: str) -> None:
    fixed(KINDS[kind], EXAMPLES.get(kind, 10))
