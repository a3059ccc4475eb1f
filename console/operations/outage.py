"""How an operation that takes services down reports how far it is: its phase, and who went down or came up again."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from console.errors import VipconsoleError
from console.frozen import frozen


@frozen
class OutageReport:
    """What has changed in an outage since the last report."""

    phases: tuple[str, ...]
    """All phases, in order: each in a few words that say what is so once it is over."""
    phase: str
    """The one that is under way."""
    down: tuple[str, ...] = ()
    """Services that went down since the last report."""
    up: tuple[str, ...] = ()
    """Services that run as before, and did not at the last report. The first report has all of them."""
    note: str = ""
    """What happened, where that is more than the next phase: a few words."""
    way_back: str = ""
    """What brings services back if something fails in this phase, a sentence."""


ReportOutage = Callable[[OutageReport], Awaitable[object]]


async def report_no_outage(_: OutageReport) -> None:
    """Do not report it."""


class OutageReporter:
    """Reports an outage whenever something in it has changed."""

    def __init__(
        self, ways_back: Mapping[str, str], report: ReportOutage, report_failures: list[str]
    ) -> None:
        """Make a reporter; `ways_back` has all phases in order, each with what brings services back in it.

        What cannot be reported holds no outage up; it is added to `report_failures`, each a sentence.
        """
        self._ways_back = ways_back
        self._report = report
        self._report_failures = report_failures
        self._phase = next(iter(ways_back))
        self._is_down: dict[str, bool] = {}

    async def begin(self, phase: str, note: str = "") -> None:
        """Report that a phase begins, unless it is under way already."""
        if phase != self._phase or note or not self._is_down:
            self._phase = phase
            await self._send(note=note)

    async def update(self, is_down: Mapping[str, bool]) -> None:
        """Report the services, by name, that are down now and were not, and the other way round."""
        changed = [name for name, down in is_down.items() if self._is_down.get(name) is not down]
        self._is_down.update(is_down)
        if changed:
            down = [name for name in changed if is_down[name]]
            await self._send(down, [name for name in changed if not is_down[name]])

    async def _send(self, down: Sequence[str] = (), up: Sequence[str] = (), note: str = "") -> None:
        report = OutageReport(
            tuple(self._ways_back), self._phase, tuple(down), tuple(up), note, self._ways_back[self._phase]
        )
        try:
            await self._report(report)
        except VipconsoleError as error:
            self._report_failures.append(error.sentence)
