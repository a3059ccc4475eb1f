"""The recorder's hardened unit on a machine that systemd runs: it records, is started again after a kill, and ends well."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import console.recorder
from tests.engine.managed import Host, managed_engine
from tests.support.program import PROGRAM
from tests.support.systemd import CHECKOUT

pytestmark = pytest.mark.engine

UNIT = "vipconsole-record.service"
# The program may lie below a home directory or in /tmp, which the unit hides.
DROP_IN = f"""[Service]
ExecStart=
ExecStart={PROGRAM} record
ProtectHome=tmpfs
BindReadOnlyPaths={CHECKOUT} {sys.prefix} {sys.base_prefix}
"""


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with managed_engine() as made:
        shipped = Path(console.recorder.__file__).with_name(UNIT)
        made.write(f"/etc/systemd/system/{UNIT}", shipped.read_text())
        made.machine.run("mkdir", f"/etc/systemd/system/{UNIT}.d")
        made.write(f"/etc/systemd/system/{UNIT}.d/lab.conf", DROP_IN)
        made.machine.run("systemctl", "daemon-reload")
        made.world.create_overlay("proxy", "10.77.0.0/24", attachable=True)
        yield made


def logged(host: Host) -> str:
    return host.machine.run("journalctl", f"--unit={UNIT}", "--output=cat", "--no-pager")


def test_it_records_and_is_started_again(host: Host) -> None:
    host.machine.run("systemctl", "start", UNIT)
    host.world.wait_until(lambda: logged(host).count("Watching since") == 1, "it watches", 60)
    host.machine.run("systemctl", "kill", "--signal=KILL", UNIT)
    host.world.wait_until(lambda: logged(host).count("Watching since") == 2, "it watches again", 60)
    glance = host.vipconsole("glance", "--quick")
    assert "recorded since" in glance.out, (glance, logged(host))
    assert "not recorded" not in glance.out
    refused = host.vipconsole("record")
    assert refused.code == 3
    assert "Another recorder is at work in /var/lib/vipconsole" in refused.err
    host.machine.run("systemctl", "stop", UNIT)
    state = host.machine.run("systemctl", "show", "--property=Result,ActiveState", UNIT)
    assert sorted(state.split()) == ["ActiveState=inactive", "Result=success"]
    assert "ended" in logged(host)
    # The journal of this very host is read, and nothing that the hardening forbids was needed.
    assert "cannot" not in logged(host), logged(host)
    assert "not recorded since" in host.vipconsole("glance", "--quick").out
