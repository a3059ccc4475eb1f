"""A maintenance window on paper: the events of a run that recreates `proxy`, with its outages, for reports of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from console.runbook.language.values import ActionPlan, Answer, Call, CheckResult, Effect, Json
from console.runbook.run import events
from console.runbook.run.header import StepHeader
from console.runbook.run.replay import after
from console.runbook.run.view import Live, StoredRun
from tests.support.runs import ALICE, START, Flags, PaperRun

OLD, NEW = "10.0.1.0/24", "10.10.0.0/16"
HEADS = (
    StepHeader("preflight", "Engine, leader, disk", "checks.all", Effect.READ),
    StepHeader("before", "Store the state before", "evidence.capture", Effect.READ),
    StepHeader("build", "Write the subnet, and build", "nix.edit_and_build", Effect.CHANGE),
    StepHeader("quiescent", "Wait until nothing is deployed", "swarm.quiescent", Effect.READ, is_checkpoint=True),
    StepHeader("recreate", "Recreate the overlay", "network.recreate", Effect.OUTAGE, needs_word=True),
    StepHeader("census-after", "Take a census", "network.census", Effect.CHANGE),
    StepHeader("after", "Store the state after", "evidence.capture", Effect.READ),
)  # fmt: skip
NO = CheckResult(Answer.NO, "It is not done.")
YES = CheckResult(Answer.YES, "It is so.")
PHASES = (
    "services parked", "tasks ended", "network removed", "network created", "services brought back", "settled",
)  # fmt: skip
WAY_BACK = "A failure brings everything back at once."
NOT_NIXOS = "This host does not run NixOS."


def time_at(seconds: float) -> datetime:
    """Return a moment of the run."""
    return START + timedelta(seconds=seconds)


def capture_outputs(subnet: str, running: int) -> Mapping[str, Json]:
    """Return what `evidence.capture` returns about `proxy`."""
    return {
        "network": [{"name": "proxy", "subnets": [subnet]}],
        "services": {"running": running, "all": 6},
    }


def recreate_outputs(
    subnet: str, down: Mapping[str, tuple[float, float | None]], running: int = 6
) -> Mapping[str, Json]:
    """Return what `network.recreate` returns; `down` gives for each service from when to when it was down."""
    return {
        "subnet": subnet,
        "outages": [],
        "downtime": [
            {
                "name": name,
                "from": time_at(start).isoformat(),
                "to": None if end is None else time_at(end).isoformat(),
                "down_s": None if end is None else end - start,
                "floor_s": None,
            }
            for name, (start, end) in down.items()
        ],
        "services": {"running": running, "all": 6},
    }


@dataclass
class PaperWindow:
    """The run. Each method writes what the runner writes, at some second."""

    run: PaperRun = field(default_factory=lambda: PaperRun(HEADS, Flags()))
    live: Live = field(default_factory=Live)

    @property
    def stored(self) -> StoredRun:
        return StoredRun(self.run.view, self.live)

    def write(self, seconds: float, event: events.Event) -> None:
        number = len(self.run.entries) + 1
        self.run.entries.append(events.LogEntry(number, time_at(seconds), event))
        self.run.view = after(self.run.view, self.run.entries[-1])

    def prepare(
        self, step: str, at: float, checked: Sequence[CheckResult] = (), outage_s: float | None = None
    ) -> None:
        parameters: dict[str, Json] = {"network": "proxy", "env": {"PASSWORD": "hunter2"}}
        plan = ActionPlan(f"Do {step}.", checked=tuple(checked), outage_s=outage_s)
        call = Call(self.run.view.step(step).head.action, parameters)
        self.write(at, events.Prepared(step, 1, call, "digest", "proxy", NO, plan))

    def decide(self, step: str, at: float, choice: events.Choice, reason: str = "") -> None:
        self.write(at, events.Decided(step, 1, "digest", choice, ALICE, reason))

    def begin(self, step: str, at: float) -> None:
        call = Call(self.run.view.step(step).head.action)
        self.write(at, events.Intended(step, 1, call, "digest", NO))

    def report(
        self, at: float, phase: int, *, down: Sequence[str] = (), up: Sequence[str] = (), note: str = ""
    ) -> None:
        """Report the outage: its phase by number, and what went down or came up."""
        event = events.OutageProgressed(
            "recreate", PHASES, PHASES[phase], tuple(down), tuple(up), note, WAY_BACK
        )
        self.write(at, event)

    def do(
        self, step: str, start: float, end: float, outputs: Mapping[str, Json], found: CheckResult = YES
    ) -> None:
        self.prepare(step, start)
        self.begin(step, start)
        self.write(end, events.Succeeded(step, 1, outputs, end - start))
        self.write(end, events.Verified(step, 1, Answer.YES, (events.ConditionResult("own", found),)))

    def up_to_outage(self, *, is_confirmed: bool = True) -> None:
        """Everything before the recreation: 200 seconds; or up to the moment when it can be asked about."""
        self.write(1, events.RunnerStarted(1, "boot-1", "0"))
        unknown = CheckResult(
            Answer.CANNOT_TELL, "Whether the address of shell was given by hand is unknown."
        )
        self.prepare("preflight", 2, (unknown,))
        self.do("preflight", 2, 4, {})
        self.do("before", 5, 8, capture_outputs(OLD, 6))
        self.write(9, events.NotApplicable("build", NOT_NIXOS))
        self.prepare("quiescent", 10)
        self.decide("quiescent", 100, events.Choice.CONFIRM)
        self.do("quiescent", 100, 160, {})
        self.prepare("recreate", 161, (unknown,), outage_s=70)
        if is_confirmed:
            self.decide("recreate", 199, events.Choice.CONFIRM)
            self.begin("recreate", 200)


DOWN = {
    "traefik_app": (209.0, 214.0), "shop_web": (201.0, 219.0), "shop_db": (202.0, 218.0), "api": (203.0, 216.0),
    "mail": (204.0, 215.0), "wiki": (205.0, 213.0),
}  # fmt: skip


def run_in_outage(**live: Any) -> StoredRun:
    """Return a run in the middle of its outage: the network is made again, one of six services is back."""
    names = tuple(DOWN)
    window = PaperWindow(live=Live(is_alive=True, folder="/var/lib/vipconsole/runs/r1", **live))
    window.up_to_outage()
    window.report(200, 0, up=names)
    window.report(201, 0, down=names)
    for number, at in enumerate((203, 209, 210, 212), 1):
        window.report(at, number)
    window.report(214, 4, up=names[:1])
    return window.stored


def finished_run() -> StoredRun:
    """Return a run that is done."""
    window = PaperWindow()
    window.up_to_outage()
    window.write(220, events.Succeeded("recreate", 1, recreate_outputs(NEW, DOWN), 20))
    window.write(221, events.Verified("recreate", 1, Answer.YES, (events.ConditionResult("own", YES),)))
    verdict = "Leaks of proxy are unknown: proxy can have 65533 addresses."
    window.do("census-after", 222, 223, {"leaked": None, "verdict": verdict})
    window.do("after", 224, 226, capture_outputs(NEW, 6))
    window.write(227, events.Ended())
    return window.stored


def undone_run() -> StoredRun:
    """Return a run of which a service did not come back, and which the operator undid."""
    window = PaperWindow()
    window.up_to_outage()
    window.write(
        520,
        events.Succeeded("recreate", 1, recreate_outputs(NEW, {**DOWN, "shop_web": (201.0, None)}, 5), 320),
    )
    wrong = CheckResult(Answer.NO, "Some things differ from before: shop_web has 0 of 2 running.")
    window.write(521, events.Verified("recreate", 1, Answer.NO, (events.ConditionResult("own", wrong),)))
    window.decide("recreate", 560, events.Choice.UNDO)
    window.write(561, events.UndoIntended("recreate", Call("network.recreate")))
    back = {name: (start + 361, end + 361) for name, (start, end) in DOWN.items()}
    window.write(590, events.Undone("recreate", 29, recreate_outputs(OLD, back)))
    window.write(591, events.Ended(is_undone=True))
    return window.stored


def unfinished_run() -> StoredRun:
    """Return a run whose runner was killed while services were down."""
    window = PaperWindow()
    window.up_to_outage()
    return window.stored
