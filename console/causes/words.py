"""The texts of a cause, filled with what an error names."""

from collections.abc import Mapping

WORDS = {
    "service": "SERVICE",
    "node": "NODE",
    "port": "PORT",
    "network": "NETWORK",
    "netname": "NETWORK",
    "image": "IMAGE",
    "path": "PATH",
    "address": "",
    "subnet": "",
}
"""What stands for something that is not known, in advice that is typed."""


def filled(template: str, named: Mapping[str, str]) -> str:
    """Return a text with names in its braces, a word in capitals where one is not known."""
    return " ".join(template.format_map({**WORDS, **named}).split())
