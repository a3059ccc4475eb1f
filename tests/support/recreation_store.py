"""Stores what a recreation needs to be resumed, in a folder, as a run does."""

import json
from pathlib import Path

from console.operations.network_recreation.record import Record, record_from_json, record_to_json
from console.operations.network_recreation.way_back import SCRIPT, way_back_script
from console.storage.state import write_atomically

RECORD = "record.json"


class RecordStore:
    """A folder with the record of a recreation and the way back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def keep(self, record: Record) -> None:
        write_atomically(self._folder / RECORD, json.dumps(record_to_json(record)), 0o600)
        write_atomically(self._folder / SCRIPT, way_back_script(record), 0o600)

    def kept(self) -> Record | None:
        path = self._folder / RECORD
        return record_from_json(json.loads(path.read_text())) if path.exists() else None
