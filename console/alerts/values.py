"""What is sent to whom, what an alert remembers, and how its sending goes."""

from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum

from console.diagnosis.values import Severity
from console.frozen import frozen

FindingKey = tuple[str, str]
"""Code and subject of a finding: the same thing, however its sentence changes."""
GIVEN_UP_SHOWN = timedelta(days=7)
"""So long it is shown that something was never delivered, unless something else is delivered before."""


class Occasion(StrEnum):
    """Why a notification is sent."""

    RISE = "rise"
    """A finding has risen to the severity of the alert, or further."""
    END = "end"
    """A finding that was told is over."""
    TEST = "test"
    """Somebody tries the alert."""


@frozen
class Notification:
    """What one alert tells. All its texts are clean."""

    occasion: Occasion
    at: datetime
    """When it was decided, by this machine's clock."""
    host: str
    """The machine that tells it."""
    code: str
    subject: str
    severity: Severity
    """How bad it is; of an end: how bad it was."""
    short: str
    """The headline, a few words."""
    sentence: str
    hint: str
    since: datetime
    """When it was first seen."""

    @property
    def id(self) -> str:
        """The same for each attempt to deliver it: one that is killed in between may deliver it twice."""
        from hashlib import sha256  # noqa: PLC0415 - most commands deliver nothing

        parts = (self.occasion, self.at.isoformat(), self.host, self.code, self.subject)
        return sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:16]


@frozen
class Memory:
    """What an alert knows of one finding."""

    severity: Severity
    """How bad it was when it was told last, or first seen."""
    short: str
    since: datetime | None
    """When it was first seen; None once it is over."""
    rise_at: datetime | None = None
    """When its last rise was told."""
    is_told: bool = False
    """Whether the one who is told still takes it to go on."""
    gone_at: datetime | None = None
    """Since when it has not been seen."""


@frozen
class AlertState:
    """What is kept of one alert, also when the recorder is started again."""

    memories: dict[FindingKey, Memory] = field(default_factory=dict)
    pending: tuple[Notification, ...] = ()
    """What is not delivered yet, oldest first."""
    failing_since: datetime | None = None
    """Since when every attempt has failed; None after one that did not."""
    reason: str = ""
    """Why the last attempt failed. It names no address."""
    failures: int = 0
    """Attempts that failed, ever."""
    delivered: int = 0
    """Notifications that were delivered, ever."""
    delivered_at: datetime | None = None
    lost: int = 0
    """Notifications that were never delivered: too many waited, or for too long."""
    lost_at: datetime | None = None

    def is_in_trouble(self, now: datetime) -> bool:
        """Whether something waits because it cannot be delivered, or was lost lately and nothing was delivered since."""
        if self.failing_since is not None and self.pending:
            return True
        if self.lost_at is None or now - self.lost_at > GIVEN_UP_SHOWN:
            return False
        return self.delivered_at is None or self.delivered_at < self.lost_at


@frozen
class Delivery:
    """What one attempt came to."""

    is_delivered: bool
    summary: str
    """What came back, in a few words: `HTTP 200`, `exit code 1: no such channel`. It names no address."""
    detail: str = ""
    """The beginning of what was answered."""
    retry_after_s: float | None = None
    """How long the other side wants to be left alone."""
