"""One block in the middle instead of all panes, while no engine has answered yet."""

from datetime import timedelta

from textual.app import ComposeResult
from textual.containers import Vertical

from console.durations import TimeFormat, stamp
from console.monitor.schedule import LONGEST_RETRY_S
from console.monitor.values import AssessedSnapshot, Feed
from screens.present.no_engine import no_engine_paragraphs
from screens.present.text import Paragraph
from screens.tui.environment import ConsoleEnvironment
from screens.tui.widgets.line_view import wrap
from screens.tui.widgets.pane import TextView

MOST_WIDE = 72


class NoEngine(Vertical):
    """The cause, the commands that mend it, and that the console goes on by itself."""

    DEFAULT_CSS = """
    NoEngine {
        height: 1fr;
        align: center middle;
        display: none;
        background: ansi_default;
    }
    """

    def __init__(self, environment: ConsoleEnvironment) -> None:
        super().__init__()
        self._environment = environment
        self._text = TextView()
        self._paragraphs: tuple[Paragraph, ...] = ()

    def compose(self) -> ComposeResult:
        """Lay out the text."""
        yield self._text

    def show(self, snapshot: Feed[AssessedSnapshot]) -> None:
        """Show why there is no snapshot."""
        if snapshot.failure is None:
            return
        environment, clock = self._environment, self._environment.clock
        since = clock.now() - timedelta(seconds=clock.monotonic() - snapshot.failing_since_s)
        self._paragraphs = no_engine_paragraphs(
            snapshot.failure,
            environment.host,
            stamp(since, TimeFormat.SECOND, environment.zone),
            LONGEST_RETRY_S,
            is_simulated=environment.is_simulated,
        )
        self._fit()

    def take_keys(self) -> None:
        """Let keys scroll the text."""
        if self.screen.has_class("-no-engine"):
            self._text.focus()

    def on_resize(self) -> None:
        """Fit the block to the new size."""
        self._fit()

    def _fit(self) -> None:
        width = min(MOST_WIDE, self.screen.size.width)
        lines = sum(1 for entry in self._paragraphs for _ in wrap(entry, max(1, width - 1)))
        self._text.styles.width = width
        self._text.styles.height = max(1, min(lines, self.size.height or lines))
        self._text.show(self._paragraphs)
