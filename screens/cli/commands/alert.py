"""`vipconsole alert`: who is told what the recorder finds, how that goes, and a test of it."""

import sys
from argparse import Namespace
from datetime import datetime

from console.alerts.alert import Alert
from console.alerts.decision import trial
from console.alerts.sending import send
from console.alerts.values import AlertState, Delivery
from console.clock import SystemClock
from console.concurrency import together
from console.durations import duration
from console.errors import UsageError
from console.host.root import host_name
from console.storage.alerts import read_alerts
from console.storage.state import state_folder
from console.text import clean, name_hint, plural
from screens.cli.common import read_settings, result_of
from screens.output.plain import say

FAILED = 1


def run(arguments: Namespace) -> int:
    """List the alerts, or try them; return 0 where all get through, else 1."""
    alerts = _chosen(read_settings(arguments).alert, arguments.name)
    return _try(alerts) if arguments.test else _list(alerts)


def _chosen(alerts: tuple[Alert, ...], names: list[str]) -> tuple[Alert, ...]:
    """Return the alerts of these names, or all. Raises UsageError where there are none."""
    if not alerts:
        raise UsageError(
            "The settings have no [[alert]].",
            "Add one to /etc/vipconsole/config.toml; see docs/monitoring.md.",
        )
    titles = [alert.title for alert in alerts]
    for name in names:
        if name not in titles:
            raise UsageError(f"There is no alert {clean(name)}.", name_hint(name, titles, "alerts"))
    return tuple(alert for alert in alerts if not names or alert.title in names)


def _try(alerts: tuple[Alert, ...]) -> int:
    clock = SystemClock()
    notification = trial(clock.now(), host_name())
    deliveries = result_of(together(*(send(alert, notification) for alert in alerts)))
    for alert, delivery in zip(alerts, deliveries, strict=True):
        say(_lines(alert, delivery), sys.stdout)
    return 0 if all(delivery.is_delivered for delivery in deliveries) else FAILED


def _lines(alert: Alert, delivery: Delivery) -> tuple[str, ...]:
    word = "delivered" if delivery.is_delivered else "FAILED"
    first = f"{alert.title}: {word}: {delivery.summary}"
    # A program that fails says why in its last line, which is told already.
    is_new = delivery.detail and delivery.detail not in delivery.summary
    return (first, f"  {delivery.detail}") if is_new else (first,)


def _list(alerts: tuple[Alert, ...]) -> int:
    now = SystemClock().now()
    states = read_alerts(state_folder())
    for alert in alerts:
        kind = "command" if alert.command else f"webhook ({alert.format})"
        how = _describe(states.get(alert.title, AlertState()), now)
        say((f"{alert.title}: {kind}, at {alert.at}: {how}",), sys.stdout)
    is_in_trouble = any(states[alert.title].is_in_trouble(now) for alert in alerts if alert.title in states)
    return FAILED if is_in_trouble else 0


def _describe(state: AlertState, now: datetime) -> str:
    parts = []
    if state.failing_since is not None:
        parts.append(f"FAILING for {duration((now - state.failing_since).total_seconds())}: {state.reason}")
    if state.pending:
        parts.append(f"{plural(len(state.pending), 'notification')} not delivered yet")
    if state.lost:
        parts.append(f"{plural(state.lost, 'notification')} given up")
    if state.delivered_at is not None:
        parts.append(f"last delivered {duration((now - state.delivered_at).total_seconds())} ago")
    return "; ".join(parts) or "nothing was sent yet"
