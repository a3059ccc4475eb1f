"""The world as a run's actions see it: an engine, a clock, settings, dockerd's log; and a changer, where one is due."""

from console.clock import Clock
from console.errors import NotAllowed
from console.journal.reader import DaemonLog
from console.settings import Settings
from console.swarm.changer import EngineChanger, Tell
from console.swarm.connection import EngineConnection
from console.swarm.reader import EngineReader


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
        """The clock."""
        return self._clock

    @property
    def settings(self) -> Settings:
        """The settings of the run."""
        return self._settings

    @property
    def host(self) -> str:
        """The engine's address."""
        return self._connection.host

    @property
    def reader(self) -> EngineReader:
        """What reads the swarm."""
        return EngineReader(self._connection)

    @property
    def connection(self) -> EngineConnection:
        """The engine, for readers of other kinds."""
        return self._connection

    @property
    def log(self) -> DaemonLog:
        """Where dockerd's lines are read from."""
        return self._log

    def changer(self) -> EngineChanger:
        """Return what changes the swarm. Raises NotAllowed where nothing may be changed."""
        if self._tell is None:
            raise NotAllowed("An action that only reads asked for what changes the swarm: this is a bug.")
        return EngineChanger(self._connection, self._tell)
