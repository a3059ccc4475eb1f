"""What a run's actions can reach: an engine, a clock, settings, dockerd's log; and whether this is the run's own host."""

from dataclasses import dataclass

from console.clock import Clock
from console.errors import NotAllowed
from console.host.identity import machine_id
from console.journal.reader import DaemonLog
from console.runbook.run.header import Header
from console.settings import Settings
from console.swarm.changer import EngineChanger, Tell
from console.swarm.connection import EngineConnection
from console.swarm.reader import EngineReader, SwarmReader
from console.swarm.values import Engine


@dataclass(frozen=True, slots=True)
class Place:
    """A machine, and the swarm that is seen from it."""

    machine_id: str
    engine: Engine


async def where_this_is(reader: SwarmReader) -> Place:
    """Return where this process is. Raises EngineError or SwarmError where the engine does not tell."""
    return Place(machine_id(), await reader.engine())


def misplaced(header: Header, place: Place) -> str:
    """Return why a run must not go on here, a sentence, or nothing. No option overrides it."""
    if place.machine_id != header.machine_id:
        return f"The run began on another machine ({header.machine_id}), and this is {place.machine_id}."
    if place.engine.cluster_id != header.cluster_id:
        return (
            f"The engine at {header.host} is part of another swarm than the one that the run began in: "
            f"{place.engine.cluster_id or 'none'} instead of {header.cluster_id}."
        )
    return ""


def moved(header: Header, place: Place) -> str:
    """Return what is different here and worth knowing, a sentence, or nothing."""
    engine = place.engine
    if engine.version != header.engine_version:
        return f"The engine is {engine.version} by now; when the run began, it was {header.engine_version}."
    if engine.node_id != header.node_id:
        return f"The run began at another node of the swarm ({header.engine_name})."
    return ""


class RunWorld:
    """What actions look at. It cannot change anything; `changeable` gives one that can."""

    def __init__(
        self,
        connection: EngineConnection,
        settings: Settings,
        clock: Clock,
        log: DaemonLog,
        tell: Tell | None = None,
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._clock = clock
        self._log = log
        self._tell = tell

    def changeable(self, tell: Tell) -> "RunWorld":
        """Return the same world for an action that changes it; every change is told first."""
        return RunWorld(self._connection, self._settings, self._clock, self._log, tell)

    @property
    def clock(self) -> Clock:
        return self._clock

    @property
    def settings(self) -> Settings:
        return self._settings

    @property
    def host(self) -> str:
        return self._connection.host

    @property
    def reader(self) -> SwarmReader:
        return EngineReader(self._connection)

    @property
    def connection(self) -> EngineConnection:
        """The engine, for its events."""
        return self._connection

    @property
    def log(self) -> DaemonLog:
        return self._log

    def changer(self) -> EngineChanger:
        """Return what changes the swarm. Raises NotAllowed where nothing may be changed."""
        if self._tell is None:
            raise NotAllowed("An action that only reads asked for what changes the swarm: this is a bug.")
        return EngineChanger(self._connection, self._tell)
