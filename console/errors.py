"""The errors that an operator may meet, each a sentence and a hint.

VipconsoleError
  UsageError            the command line asks for something that does not exist
  SettingsError         a settings file cannot be used
  HostError             something of this host could not be read or run
    StoreFailed           the log of a run could not be written
    RunnerNotStarted      what was decided is stored, but nothing does it yet
    LockHeld              another command of this host is changing the swarm
  NotAllowed            it was not confirmed, or is not for this user to do
  Declined              it could be done, but must not be done now
  RunbookError          a runbook cannot be used, or what is given for one
  StepFailed            what a step of a run read or did is not as it should be
  SimulatorError        the simulated engine cannot do what was asked
  EngineError           the engine did not answer as an engine should
    EngineUnreachable     nothing listens there
    EngineForbidden       something listens, but not to this user
    EngineTimeout         it was asked and did not answer in time
    MalformedReply        it answered, but not with what the API promises
    EngineRefused         it answered with an HTTP error
      EngineNotFound        … that the object does not exist
  SwarmError            the engine is well, but no swarm can be seen through it
    NoSwarm               it is not part of a swarm
    NotManager            it is a worker, and workers see no swarm
"""

from collections.abc import Sequence
from dataclasses import field
from enum import IntEnum
from typing import TypeAlias, TypeVar

from console.frozen import frozen

T = TypeVar("T")


DAMAGE = (
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)
"""What it raises to read what somebody else wrote, or what is damaged: also lists in lists, and numbers without end."""


class ExitCode(IntEnum):
    """Exit codes beyond those of the findings (0 ok, 1 warning, 2 critical, 3 unknown)."""

    UNKNOWN = 3
    USAGE = 64
    """EX_USAGE of sysexits.h."""
    BUG = 70
    """EX_SOFTWARE of sysexits.h."""
    INTERRUPTED = 130
    """128 + SIGINT, as in a shell."""
    PIPE_CLOSED = 141
    """128 + SIGPIPE: the reader of the output has closed it."""


class VipconsoleError(Exception):
    """An expected failure: what failed and on what (`sentence`), and what to do next (`hint`)."""

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint


class UsageError(VipconsoleError):
    """The command line asks for something that does not exist."""


class SettingsError(VipconsoleError):
    """A settings file cannot be used."""


class HostError(VipconsoleError):
    """Something of this host could not be read or run."""


class StoreFailed(HostError):
    """The log of a run could not be written; `is_full` says that the disk has no room."""

    def __init__(self, sentence: str, hint: str = "", *, is_full: bool = False) -> None:
        super().__init__(sentence, hint)
        self.is_full = is_full


class RunnerNotStarted(HostError):
    """What was decided is in the run's log, but no runner could be started to do it."""


class LockHeld(HostError):
    """Another command of this host is changing the swarm: what it wrote into the lock."""

    def __init__(self, holder: str) -> None:
        super().__init__(
            f"Another command is changing the swarm: {holder}.",
            "Wait until it has ended. Nothing was changed.",
        )


class NotAllowed(VipconsoleError):
    """It was not confirmed, or is not for this user to do."""


class Declined(VipconsoleError):
    """It could be done, but must not be done now; the sentence says why."""


class RunbookError(VipconsoleError):
    """A runbook cannot be used; `problems` are all of them, each a line `file:line:column: message`."""

    def __init__(self, sentence: str, hint: str = "", problems: Sequence[str] = ()) -> None:
        super().__init__(sentence, hint)
        self.problems = tuple(problems)


class StepFailed(VipconsoleError):
    """What a step of a run read or did is not as it should be."""


class SimulatorError(VipconsoleError):
    """The simulated engine cannot do what was asked of it."""


class EngineError(VipconsoleError):
    """The engine did not answer as an engine should."""


class EngineUnreachable(EngineError):
    """Nothing listens at the engine's address."""


class EngineForbidden(EngineError):
    """The engine's socket exists, but this user may not use it."""


class EngineTimeout(EngineError):
    """The engine was asked and did not answer in time."""


class MalformedReply(EngineError):
    """The engine answered with something that is not what its API promises."""


class EngineRefused(EngineError):
    """The engine answered with an HTTP error; `status` is its code."""

    def __init__(self, sentence: str, hint: str = "", *, status: int) -> None:
        super().__init__(sentence, hint)
        self.status = status


class EngineNotFound(EngineRefused):
    """The engine says that the object does not exist."""


class SwarmError(VipconsoleError):
    """The engine is well, but no swarm can be seen through it."""


class NoSwarm(SwarmError):
    """The engine is not part of a swarm."""


class NotManager(SwarmError):
    """The engine is a worker of its swarm, and workers do not see the swarm."""


@frozen
class Unknown:
    """A part that could not be read: why, and what to do about it."""

    reason: str
    hint: str = ""
    kind: str = field(default="", compare=False, repr=False)
    """The class of the error behind it, where one was raised: what mends it depends on that."""


Result: TypeAlias = T | Unknown
"""A value that was read, or why it was not."""


def known(result: T | Unknown, otherwise: T) -> T:
    """Return the value of a part, or a stand-in where it is unknown."""
    return otherwise if isinstance(result, Unknown) else result


def unknown_from(error: VipconsoleError) -> Unknown:
    """Return the part that an expected error leaves behind."""
    return Unknown(error.sentence, error.hint, type(error).__name__)
