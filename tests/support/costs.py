"""What a command takes from its start to its end: time, time of a processor, memory."""

import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

# A process counts as having had as much memory as the one that started it: this one is small.
_LAUNCHER = """
import os, sys, time
quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
began_s = time.perf_counter()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
_, _, used = os.wait4(pid, 0)
print(time.perf_counter() - began_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


@dataclass(frozen=True)
class Cost:
    """What a command takes: seconds that pass, seconds of a processor (which depend less on what else goes on), and memory."""

    passed_s: float
    busy_s: float
    memory_mb: float
    """The most that it had at any time."""


def cost_of(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end, whatever it prints and however it ends, and return what it took."""
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, *command]
    out = subprocess.run(launcher, check=True, capture_output=True, text=True, env=environment).stdout
    return Cost(*map(float, out.split()))


def median_of(costs: Iterable[Cost]) -> Cost:
    """Return the median of each figure."""
    rows = [(cost.passed_s, cost.busy_s, cost.memory_mb) for cost in costs]
    return Cost(*(statistics.median(figures) for figures in zip(*rows, strict=True)))
