"""The guard on a machine with a real engine: its settings there, and how it is run."""

from tests.engine.managed import Host
from tests.support.program import Outcome

SETTINGS = """
[thresholds]
new_task_s = 1
unallocated_s = 1

[snapshot]
deadline_s = 60
call_timeout_s = 30

[quiet]
dwell_s = 2
"""
"""What waits for an address is stuck after a second; a loaded machine may take its time to answer."""
CONFIG = "/etc/lab.toml"


def guard(host: Host, *more: str) -> Outcome:
    """Run the guard once, with the settings that a test has written to `CONFIG` inside."""
    return host.vipconsole("guard", "--config", CONFIG, *more)


def guard_until(host: Host, words: str, *more: str) -> Outcome:
    """Run the guard until it says something: what waits is stuck, and no noise, once it has waited for some time."""
    said: list[Outcome] = []

    def tells() -> bool:
        said.append(guard(host, *more))
        return words in said[-1].out

    try:
        host.world.wait_until(tells, f"the guard says: {words}", 20)
    except AssertionError as failure:
        raise AssertionError(f"{failure}; it said: {said[-1].out}{said[-1].err}") from None
    return said[-1]
