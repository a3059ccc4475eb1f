"""All kinds in turn, for as long as one likes: `make fuzz MINUTES=60`. What was found goes on where the last time ended."""

import sys
from pathlib import Path

import pytest

from tests.fuzz.fuzzing import in_turn, totals
from tests.fuzz.kinds import KINDS

CACHE = Path(__file__).parents[2] / ".fuzz"


@pytest.mark.fuzz
@pytest.mark.timeout(0)
def test_nothing_from_outside_breaks_the_program(request: pytest.FixtureRequest) -> None:
    minutes, names = request.config.getoption("fuzz_minutes"), request.config.getoption("fuzz_kinds")
    tallies = in_turn(names.split(",") if names else list(KINDS), minutes, CACHE)
    whole = totals(CACHE)
    lines = (
        f"{name:12} {tally.examples:7} examples {tally.seconds / 60:6.1f} min {len(tally.failures)} failures; "
        f"in all {whole[name][0]:7} examples {whole[name][1] / 60:6.1f} min\n"
        for name, tally in tallies.items()
        if name in whole
    )
    sys.stdout.write("".join(("\n", *lines)))
    assert not any(tally.failures for tally in tallies.values())
