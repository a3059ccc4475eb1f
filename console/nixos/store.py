"""Paths in the Nix store."""

STORE_PATH = r"^/[^\s'\"$\\]*/[a-z0-9]{32}-[A-Za-z0-9+._?=-]+$"
"""A path right below a store, wherever that is."""


def short(system: str) -> str:
    """Return how a system is called in a sentence: `nixos-system-host-25.11 (abcl0z20)`; two often share the name."""
    digest, dash, name = system.rpartition("/")[2].partition("-")
    return f"{name} ({digest[:8]})" if dash else system
