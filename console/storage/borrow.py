"""What is on disk of a borrowed manager: who borrowed it, how far that is, and each step before and after it was done.

The record stands from before the first change until nothing is left, so its file tells whether one is unfinished.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from console.diagnosis.values import UnfinishedRun
from console.durations import parse_time
from console.errors import DAMAGE, HostError
from console.frozen import frozen
from console.host.temporary.values import Cable
from console.storage.state import BORROW_FILE, BORROW_FOLDER, make_private, write_atomically
from console.text import clean

SCHEMA = "vipconsole.borrow/1"


class BorrowPhase(StrEnum):
    """How far a borrowed manager is: what has to be done, or taken back, depends on it."""

    PREPARING = "preparing"
    """The swarm has not been changed."""
    JOINING = "joining"
    """The temporary manager joins, or has joined. It does not lead."""
    HANDING_OVER = "handing over"
    """The real manager is paused, demoted, promoted and made active."""
    RELEASING = "releasing"
    """The real manager is what it was, and the temporary one is taken out of the swarm."""


@frozen
class BorrowStep:
    """One step, recorded before it is begun, and again when it has ended."""

    name: str
    began_at: datetime
    ended_at: datetime | None = None


@frozen
class BorrowRecord:
    """A borrowed manager that is under way, or was cut short."""

    owner: str
    """Who borrowed it, as `MACHINE/PROCESS`."""
    began_at: datetime
    cluster_id: str
    node_id: str
    """The real manager."""
    node_name: str
    manager_address: str
    """Where the real manager is reached by others, as `ADDRESS:PORT`."""
    cable: Cable
    containers: Mapping[str, str] = field(default_factory=dict)
    """The containers that ran before, by ID, and when each was started."""
    phase: BorrowPhase = BorrowPhase.PREPARING
    temporary_id: str = ""
    """The node ID of the temporary manager, once it is known."""
    has_led: bool = False
    """Whether the temporary manager has led the swarm, and so given the leaked addresses back."""
    rejoins: bool = False
    """Whether the real manager lost its part of the swarm, and joins once more as another node."""
    version: str = ""
    """Of the real manager's engine."""
    root_dir: str = ""
    """Where the real manager keeps its data: it may not be able to say so any more."""
    steps: tuple[BorrowStep, ...] = ()

    def with_step(self, name: str, at: datetime) -> "BorrowRecord":
        """Return the record with one more step that begins."""
        return replace(self, steps=(*self.steps, BorrowStep(name, at)))

    def with_step_done(self, at: datetime) -> "BorrowRecord":
        """Return the record with its last step done."""
        return replace(self, steps=(*self.steps[:-1], replace(self.steps[-1], ended_at=at)))

    @property
    def step(self) -> str:
        """The last step, in words."""
        return self.steps[-1].name if self.steps else "preparing"


class BorrowStore:
    """The folder of a borrowed manager in the state directory, and the record in it."""

    def __init__(self, state: Path) -> None:
        self.folder = state / BORROW_FOLDER
        self._path = self.folder / BORROW_FILE

    def read(self) -> BorrowRecord | None:
        """Return the record; None where no manager is borrowed. Raises HostError where it cannot be read."""
        try:
            text = self._path.read_text("utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise self._unreadable(clean(str(error), 200)) from error
        try:
            return _from_json(json.loads(text))
        except (*DAMAGE, HostError) as error:
            raise self._unreadable(f"it is damaged or of another version ({type(error).__name__})") from error

    def write(self, record: BorrowRecord) -> None:
        """Write the record, so that it survives a crash of the machine. Raises HostError."""
        make_private(self.folder)
        write_atomically(self._path, json.dumps(_to_json(record), indent=1), 0o600)

    @property
    def engine_folder(self) -> Path:
        """Where the temporary manager keeps its data."""
        return self.folder / "engine"

    def remove(self) -> None:
        """Remove the folder, the record last: nothing is unfinished any more. Raises HostError."""
        try:
            for path in self.folder.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif path != self._path:
                    path.unlink()
            self._path.unlink()
            self.folder.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            raise HostError(
                f"{self.folder} cannot be removed: {error.strerror}.", "Remove it by hand."
            ) from error

    def _unreadable(self, why: str) -> HostError:
        return HostError(
            f"The record of a borrowed manager, {self._path}, cannot be read: {why}.",
            f"Read it, and finish by hand with {self.folder / 'way-back.sh'}; then remove it.",
        )


def _to_json(record: BorrowRecord) -> Mapping[str, Any]:
    return {
        "schema": SCHEMA,
        "owner": record.owner,
        "began_at": record.began_at.isoformat(),
        "cluster_id": record.cluster_id,
        "node_id": record.node_id,
        "node_name": record.node_name,
        "manager_address": record.manager_address,
        "cable": record.cable.to_json(),
        "containers": dict(record.containers),
        "phase": record.phase.value,
        "temporary_id": record.temporary_id,
        "has_led": record.has_led,
        "rejoins": record.rejoins,
        "version": record.version,
        "root_dir": record.root_dir,
        "steps": [
            {
                "name": step.name,
                "began_at": step.began_at.isoformat(),
                "ended_at": None if step.ended_at is None else step.ended_at.isoformat(),
            }
            for step in record.steps
        ],
    }


def _from_json(data: Mapping[str, Any]) -> BorrowRecord:
    if data["schema"] != SCHEMA:
        raise ValueError(data["schema"])
    return BorrowRecord(
        owner=clean(data["owner"]),
        began_at=parse_time(data["began_at"]),
        cluster_id=clean(data["cluster_id"]),
        node_id=clean(data["node_id"]),
        node_name=clean(data["node_name"]),
        manager_address=clean(data["manager_address"]),
        cable=Cable.from_json(data["cable"]),
        containers={clean(key): clean(value) for key, value in data["containers"].items()},
        phase=BorrowPhase(data["phase"]),
        temporary_id=clean(data["temporary_id"]),
        has_led=bool(data["has_led"]),
        # A record of an earlier version has none of these.
        rejoins=bool(data.get("rejoins")),
        version=clean(data.get("version") or ""),
        root_dir=clean(data.get("root_dir") or "", 1000),
        steps=tuple(
            BorrowStep(
                clean(row["name"]),
                parse_time(row["began_at"]),
                None if row["ended_at"] is None else parse_time(row["ended_at"]),
            )
            for row in data["steps"]
        ),
    )


def unfinished_borrow(state: Path) -> UnfinishedRun | None:
    """Return a borrowed manager that is not over; None where there is none. Raises HostError where that cannot be read."""
    record = BorrowStore(state).read()
    if record is None:
        return None
    return UnfinishedRun(
        run_id="",
        title=f"a second manager beside {record.node_name}",
        step=record.step,
        state="is unfinished",
        began_at=record.began_at,
        hint="If no `vipconsole reclaim` is running, run it: it finishes this, or takes it back. By hand: `way-back.sh` in "
        f"{state / BORROW_FOLDER}.",
        kind="borrowed manager",
    )
