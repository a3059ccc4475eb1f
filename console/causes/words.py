"""The texts of a cause, filled with what an error names."""

import shlex
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
    "reason": "",
    "reasons": "",
    "holder": "",
}
"""What stands for something that is not known, in advice that is typed."""


SPOKEN = {
    "port": "it publishes",
    "network": "that it names",
    "netname": "that it names",
    "image": "of that name",
    "path": "",
    "reasons": "the scheduler gives no reason",
}
"""What stands for it in a sentence that is read."""


def typed(template: str, named: Mapping[str, str]) -> str:
    """Return a text with names in its braces, each quoted for a shell; a word in capitals where one is not known."""
    return _filled(template, {**WORDS, **{key: shlex.quote(value) for key, value in named.items()}})


def spoken(template: str, named: Mapping[str, str]) -> str:
    """Return a sentence with names in its braces."""
    return _filled(template, {**WORDS, **SPOKEN, **named})


def _filled(template: str, named: Mapping[str, str]) -> str:
    return " ".join(template.format_map(named).split())
