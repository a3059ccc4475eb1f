"""The real program, scraped by a real Prometheus, on a simulated swarm."""

import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.monitoring.test_rules import RULES
from tests.support.engines import simulation
from tests.support.program import PROGRAM, program_environment

PATIENCE_S = 100
CONFIG = """
global: {scrape_interval: 250ms, scrape_timeout: 250ms, evaluation_interval: 250ms}
rule_files: [alert-rules.yaml]
scrape_configs:
  - job_name: vipconsole
    scrape_timeout: 250ms
    static_configs: [{targets: ["ADDRESS"]}]
"""
ALERT = """
[record]
poll_s = 1
[snapshot]
deadline_s = 10
[[alert]]
name = "ops"
command = ["/bin/sh", "-c", 'tr -d "\\n" < /dev/stdin >> "$1"; echo >> "$1"', "sh", "TOLD"]
"""


@contextmanager
def started(*command: str, folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    """Run a program with what it says in a file; it is gone afterwards."""
    said = folder / f"{Path(command[0]).name}.log"
    with said.open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, env=program_environment()
        )
    try:
        yield process, said
    finally:
        process.kill()
        process.wait()


def eventually(attempt: Callable[[], Any], said: Path) -> Any:
    """Return the first true answer."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        if answer := attempt():
            return answer
        time.sleep(0.05)
    raise AssertionError(said.read_text()[-3000:])


def address_in(said: Path, words: str) -> str:
    """Return the address that a program says it listens on."""

    def find() -> str:
        match = re.search(words + r"(127\.0\.0\.1:[0-9]+)", said.read_text())
        return match[1] if match else ""

    return str(eventually(find, said))


def ask(address: str, path: str, **parameters: str) -> Any:
    with urlopen(f"http://{address}/api/v1/{path}?{urlencode(parameters)}", timeout=60) as answer:
        return json.load(answer)["data"]


def test_a_real_prometheus_scrapes_a_real_recorder(tmp_path: Path) -> None:
    told = tmp_path / "told"
    (tmp_path / "settings.toml").write_text(ALERT.replace("TOLD", str(told)))
    shutil.copy(RULES, tmp_path)
    record = (str(PROGRAM), "record", "--listen", "127.0.0.1:0", "--config", "settings.toml")
    with (
        simulation("evening") as simulated,
        started(*record, "--host", simulated.host, "--state-dir", "state", folder=tmp_path) as (
            recorder,
            recorder_log,
        ),
    ):
        exporter = address_in(recorder_log, "metrics at http://")
        (tmp_path / "prometheus.yml").write_text(CONFIG.replace("ADDRESS", exporter))
        arguments = ("--config.file=prometheus.yml", "--storage.tsdb.path=data")
        listen = "--web.listen-address=127.0.0.1:0"
        with started("prometheus", *arguments, listen, folder=tmp_path) as (_, log):
            prometheus = address_in(log, 'msg="Listening on" address=')
            eventually(lambda: "Server is ready" in log.read_text(), log)

            def value(query: str) -> str:
                found = ask(prometheus, "query", query=query)["result"]
                return str(found[0]["value"][1]) if found else ""

            eventually(lambda: value("vipconsole_up") == "1", log)
            free = 'vipconsole_network_addresses{network="proxy",kind="available"}'
            assert value(free) == "4"
            assert value('up{job="vipconsole"}') == "1"
            assert value('vipconsole_build_info{version!=""}') == "1"
            eventually(lambda: value('vipconsole_alert_delivered_total{alert="ops"}') not in ("", "0"), log)
            # Every rule is evaluated, and what is critical begins to burn.
            burning = 'ALERTS{alertname="VipconsoleCritical",alertstate="pending"}'
            eventually(lambda: value(burning) == "1", log)
            rules = [rule for group in ask(prometheus, "rules")["groups"] for rule in group["rules"]]
            assert {rule["health"] for rule in rules} == {"ok"}
            simulated.break_call("*", "status:500")
            eventually(lambda: value("vipconsole_up") == "0", log)
            eventually(lambda: value(free) == "", log)
            assert value("vipconsole_snapshot_age_seconds")
            simulated.mend()
            eventually(lambda: value(free) == "4", log)
        recorder.send_signal(signal.SIGTERM)
        assert recorder.wait(PATIENCE_S) == 0, recorder_log.read_text()
    documents = [json.loads(line) for line in told.read_text().splitlines()]
    assert {each["severity"] for each in documents} == {"critical"}
    assert len({(each["code"], each["subject"], each["occasion"]) for each in documents}) == len(documents)
    assert "deploy-waits" in {each["code"] for each in documents}
