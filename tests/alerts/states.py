"""Monitor states with findings, for tests of alerts."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from console.alerts.alert import Alert
from console.alerts.values import Delivery, Notification
from console.diagnosis.values import Assessment, Finding, Severity, worst_of
from console.errors import Result, Unknown
from console.monitor.values import AssessedSnapshot, Feed, MonitorState
from tests.support.swarms import network, snapshot, swarm

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
AWAY = Unknown("dockerd does not answer.", "Start it.")


def found(
    code: str = "network-full",
    subject: str = "proxy",
    severity: Severity = Severity.CRITICAL,
    *,
    short: str = "",
    sentence: str = "proxy has no address left.",
    hint: str = "Look.",
) -> Finding:
    return Finding(code, severity, subject, short or f"{subject} is full", sentence, hint)


def state_of(*findings: Finding, journal: Result[None] = None) -> MonitorState:
    """Return a state with these findings, of a swarm that could be read whole."""
    seen = snapshot(swarm([network("proxy", "10.0.1.0/24")]))
    if isinstance(journal, Unknown):
        seen = replace(seen, journal=journal)
    assessment = Assessment(worst_of(findings), "", tuple(findings), ())
    return MonitorState(1, Feed(AssessedSnapshot(seen, assessment), 100.0))


def away(before: MonitorState) -> MonitorState:
    """Return the state in which the engine does not answer any more."""
    return replace(before, snapshot=replace(before.snapshot, failure=AWAY, failing_since_s=100.0))


@dataclass
class Outbox:
    """Receives notifications, or fails as a test wants."""

    failing: str = ""
    sent: list[tuple[str, Notification]] = field(default_factory=list)
    attempts: int = 0
    retry_after_s: float | None = None

    async def send(self, alert: Alert, notification: Notification) -> Delivery:
        self.attempts += 1
        if self.failing:
            return Delivery(is_delivered=False, summary=self.failing, retry_after_s=self.retry_after_s)
        self.sent.append((alert.title, notification))
        return Delivery(is_delivered=True, summary="HTTP 200")

    @property
    def told(self) -> list[str]:
        return [f"{title} {sent.occasion.value} {sent.code} {sent.subject}" for title, sent in self.sent]
