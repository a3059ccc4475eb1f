"""A systemd in memory: units that are restarted, and what systemctl and journalctl say of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from console.errors import HostError


@dataclass
class FakeUnit:
    """A unit, and what comes of it when it is started."""

    name: str
    remains: bool = True
    fails: bool = False
    condition_holds: bool = True
    is_loaded: bool = True
    requires: tuple[str, ...] = ()
    busy_looks: int = 0
    """So often it is seen to be starting."""
    hangs: bool = False
    state: str = "active"
    starts: int = 1
    is_evaluated: bool = True

    def shown(self) -> str:
        is_busy = self.busy_looks > 0
        self.busy_looks -= is_busy
        told = {
            "Id": self.name,
            "LoadState": "loaded" if self.is_loaded else "not-found",
            "ActiveState": "activating" if is_busy else self.state,
            "SubState": "start"
            if is_busy
            else {"active": "exited", "failed": "failed"}.get(self.state, "dead"),
            "Result": "exit-code" if self.state == "failed" else "success",
            "InvocationID": f"{self.name}-{self.starts}" if self.starts else "",
            "ConditionResult": "yes" if self.condition_holds and self.is_evaluated else "no",
            "ConditionTimestampMonotonic": "1" if self.is_evaluated else "0",
            "Job": "0",
            "After": " ".join(("basic.target", *self.requires)),
        }
        return "\n".join(f"{key}={value}" for key, value in told.items())


@dataclass
class FakeSystemd:
    """What answers to systemctl and journalctl."""

    units: dict[str, FakeUnit]
    calls: list[str] = field(default_factory=list)
    is_down: bool = False

    @property
    def restarts(self) -> list[str]:
        return [each.removeprefix("systemctl restart -- ") for each in self.calls if " restart " in each]

    async def run(self, argv: Sequence[str], timeout_s: float) -> bytes:
        self.calls.append(" ".join(argv))
        if self.is_down:
            raise HostError("`systemctl` failed: the bus is away.")
        match argv[:2]:
            case ("systemctl", "show"):
                names = argv[argv.index("--") + 1 :]
                return "\n\n".join(each.shown() for name in names for each in self._named(name)).encode()
            case ("systemctl", "list-unit-files"):
                return "".join(
                    f"{each} enabled\n" for each in self.units if self.units[each].is_loaded
                ).encode()
            case ("systemctl", "restart"):
                self._restart(self.units[argv[-1]], timeout_s)
                return b""
            case ("journalctl", *_):
                return b"it lacks \x1b[2J a key\n\n"
        raise AssertionError(argv)

    def _named(self, name: str) -> list[FakeUnit]:
        if "*" in name:
            return [each for each in self.units.values() if fnmatchcase(each.name, name)]
        return [self.units.get(name) or FakeUnit(name, is_loaded=False, state="inactive", starts=0)]

    def _restart(self, unit: FakeUnit, timeout_s: float) -> None:
        unit.is_evaluated = True
        if not unit.condition_holds:
            unit.state = "inactive"
            return
        unit.starts += 1
        unit.state = "failed" if unit.fails else "active" if unit.remains else "inactive"
        if unit.hangs:
            unit.busy_looks = 1_000_000
            raise HostError(f"`systemctl` timed out after {timeout_s:g} s.")
        for each in self.units.values():
            if unit.name in each.requires:
                self._restart(each, timeout_s)
        if unit.fails:
            raise HostError("`systemctl restart` failed: Job failed.")


def systemd(*units: FakeUnit) -> FakeSystemd:
    return FakeSystemd({each.name: each for each in units})
