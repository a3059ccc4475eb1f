"""Keeps the last census of each network in the state directory, one file each."""

import json
import os
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from console.addresses.leaks import AllocatorGeneration, Census
from console.durations import parse_time
from console.errors import DAMAGE, HostError, Result, Unknown, unknown_from
from console.storage.state import OWNER_HINT, make_private, write_atomically
from console.text import clean

SCHEMA = "vipconsole.evidence/1"
FOLDER = "censuses"
SIZE_LIMIT_BYTES = 16 * 1024 * 1024
"""More than the addresses of a /12 need."""


def write_census(state: Path, census: Census) -> Path:
    """Write a census over the last one of its network, and return where it is. Raises HostError."""
    folder = state / FOLDER
    make_private(folder)
    path = folder / f"{_plain(census.allocator.cluster_id)}-{_plain(census.network_id)}.json"
    write_atomically(path, json.dumps(_as_json(census), indent=1) + "\n", 0o600)
    return path


def read_censuses(state: Path) -> Result[tuple[Census, ...]]:
    """Return every census that is kept; none where nothing ever was, unknown where a file cannot be used."""
    folder = state / FOLDER
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - iterdir() hides why a folder cannot be read
        return tuple(
            _read(folder / name) for name in names if name.endswith(".json") and not name.startswith(".")
        )
    except FileNotFoundError:
        return ()
    except HostError as error:
        return unknown_from(error)
    except OSError as error:
        return Unknown(f"Stored censuses cannot be read: {error.strerror}.", OWNER_HINT)


def _read(path: Path) -> Census:
    try:
        with path.open("rb") as file:
            return _census(json.loads(file.read(SIZE_LIMIT_BYTES)))
    except DAMAGE as error:
        raise HostError(
            f"The stored census {clean(str(path), 300)} cannot be used ({type(error).__name__}).",
            "Remove it and take the census again.",
        ) from error


def _plain(identifier: str) -> str:
    # An ID comes from outside and becomes part of a path.
    return "".join(character for character in identifier if character.isascii() and character.isalnum())[:64]


def _as_json(census: Census) -> Mapping[str, Any]:
    allocator = census.allocator
    return {
        "schema": SCHEMA,
        "network_id": census.network_id,
        "network_name": census.network_name,
        "taken_at": census.taken_at.isoformat(),
        "allocator": {
            "cluster_id": allocator.cluster_id,
            "leader_id": allocator.leader_id,
            "node_id": allocator.node_id,
            "daemon_began": allocator.daemon_began.isoformat() if allocator.daemon_began else None,
            "rebuilt": allocator.rebuilt,
        },
        "unaccounted": [str(address) for address in census.unaccounted],
        "load_balancers_at_most": census.load_balancers_at_most,
    }


def _census(data: Mapping[str, Any]) -> Census:
    if data["schema"] != SCHEMA:
        raise ValueError("another version wrote it")
    allocator = data["allocator"]
    daemon_began = allocator["daemon_began"]
    return Census(
        network_id=clean(data["network_id"]),
        network_name=clean(data["network_name"]),
        taken_at=parse_time(data["taken_at"]),
        allocator=AllocatorGeneration(
            clean(allocator["cluster_id"]),
            clean(allocator["leader_id"]),
            clean(allocator["node_id"]),
            None if daemon_began is None else parse_time(daemon_began),
            # Versions before the borrowed manager did not write it.
            clean(allocator.get("rebuilt") or ""),
        ),
        unaccounted=tuple(IPv4Address(str(address)) for address in data["unaccounted"]),
        load_balancers_at_most=int(data["load_balancers_at_most"]),
    )
