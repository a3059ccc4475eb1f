"""Under the hardening of the recorder's unit a command is run, and metrics are served."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import console.recorder
from tests.contract.world import NOWHERE
from tests.engine.managed import Host, managed_engine
from tests.support.program import PROGRAM
from tests.support.systemd import CHECKOUT

pytestmark = pytest.mark.engine

UNIT = "vipconsole-record.service"
# The program may lie below a home directory or in /tmp, which the unit hides.
DROP_IN = f"""[Service]
ExecStart=
ExecStart={PROGRAM} record --listen 127.0.0.1:9798
ProtectHome=tmpfs
BindReadOnlyPaths={CHECKOUT} {sys.prefix} {sys.base_prefix}
"""
TOLD = "/var/lib/vipconsole/told"
SETTINGS = f"""
[[alert]]
name = "ops"
command = ["/bin/sh", "-c", 'tr -d "\\n" < /dev/stdin >> {TOLD}; echo >> {TOLD}']
"""
SCRAPE = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9798/metrics').read().decode())"


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with managed_engine() as made:
        shipped = Path(console.recorder.__file__).with_name(UNIT)
        made.write(f"/etc/systemd/system/{UNIT}", shipped.read_text())
        made.machine.run("mkdir", "-p", f"/etc/systemd/system/{UNIT}.d", "/etc/vipconsole")
        made.write(f"/etc/systemd/system/{UNIT}.d/lab.conf", DROP_IN)
        made.write("/etc/vipconsole/config.toml", SETTINGS)
        made.machine.run("systemctl", "daemon-reload")
        yield made


def logged(host: Host) -> str:
    return host.machine.run("journalctl", f"--unit={UNIT}", "--output=cat", "--no-pager")


def test_it_tells_and_serves(host: Host) -> None:
    proxy = host.world.create_overlay("proxy", "10.77.0.0/29", attachable=True)
    host.machine.run("systemctl", "start", UNIT)
    host.world.wait_until(lambda: logged(host).count("Watching since") == 1, "it watches", 60)
    host.world.deploy_stack([proxy], replicas=4, constraints=NOWHERE)

    def told() -> list[str]:
        lines = host.machine.run("sh", "-c", f"cat {TOLD} 2>/dev/null || true").splitlines()
        return [json.loads(line)["code"] for line in lines]

    host.world.wait_until(lambda: "network-full" in told(), "somebody is told", 60)
    metrics = host.machine.run(sys.executable, "-c", SCRAPE)
    assert "vipconsole_up 1.0" in metrics
    assert 'vipconsole_alert_failing{alert="ops"} 0.0' in metrics
    host.machine.run("systemctl", "stop", UNIT)
    assert "cannot" not in logged(host), logged(host)
    assert told().count("network-full") == 1
