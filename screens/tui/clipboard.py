"""What an operator takes along: the clipboard of the terminal, and files."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from textual.screen import Screen

from console.errors import HostError
from console.storage.state import make_private, state_folder, write_atomically
from console.text import SENTENCE_LIMIT, clean, plural

COPIED_AT_MOST = 50_000
"""Bytes that are sent to the terminal's clipboard: tmux and others let go of longer ones without a word."""


def copy(screen: Screen[Any], text: str) -> None:
    """Send text to the clipboard of the operator's own terminal (OSC 52), and say what was sent."""
    if not text.strip():
        screen.notify("There is nothing to copy here.", markup=False)
        return
    sent = text.encode()[:COPIED_AT_MOST].decode(errors="ignore")
    screen.app.copy_to_clipboard(sent)
    cut = "" if sent == text else ", the rest was too much"
    lines = plural(len(sent.splitlines()), "line")
    screen.notify(f"{lines} sent to the terminal's clipboard{cut}.", markup=False)


async def save(screen: Screen[Any], name: str, text: str, at: datetime) -> None:
    """Write text to a file that only this user can read, and say where it is; or say why it could not be written."""
    path = state_folder() / "saved" / f"{name}-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}.log"
    try:
        await asyncio.to_thread(_write, path, text)
    except HostError as error:
        screen.notify(f"{error.sentence} {error.hint}", severity="error", markup=False)
    else:
        screen.notify(f"Saved to {clean(str(path), SENTENCE_LIMIT)}", markup=False)


def _write(path: Path, text: str) -> None:
    make_private(path.parent)
    write_atomically(path, text, 0o600)
