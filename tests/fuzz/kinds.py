"""What is fuzzed: everything that comes from outside, by its kind. Each draws one input and runs the program on it."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.fuzz import kinds_engine, kinds_host, kinds_nix, kinds_state, kinds_text
from tests.fuzz.mutations import Draw

Kind = Callable[[Draw, Path], None]
"""Given what draws, and an empty folder."""

KINDS: Mapping[str, Kind] = {
    "api": kinds_engine.api,
    "wire": kinds_engine.wire,
    "events": kinds_engine.events,
    "recorder": kinds_engine.recorder,
    "names": kinds_engine.names,
    "journal": kinds_text.journal,
    "runbook": kinds_text.runbook,
    "settings": kinds_host.settings,
    "environment": kinds_host.environment,
    "arguments": kinds_host.arguments,
    "nix": kinds_nix.nix,
    "databases": kinds_state.databases,
    "files": kinds_state.files,
}
