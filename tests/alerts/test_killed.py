"""A recorder that is killed again and again tells everything."""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from console.storage.alerts import read_alerts
from tests.support.reference import ROOT

COUNT, KILLS = 20, 8


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_killed_anywhere_it_tells_everything_and_what_was_under_way_at_most_once_more(tmp_path: Path) -> None:
    chance = random.Random(7)  # noqa: S311 - a seed, not a secret
    state, sent = tmp_path / "state", tmp_path / "sent"
    command = [sys.executable, "-m", "tests.alerts.mortal", str(state), str(sent), str(COUNT)]
    killed = 0
    for least in sorted(chance.sample(range(COUNT - 2), KILLS)):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None and lines(sent) <= least:
                time.sleep(0.001)
            time.sleep(chance.random() * 0.02)
            process.kill()
            killed += process.wait() == -signal.SIGKILL
    subprocess.run(command, cwd=ROOT, check=True, timeout=100)
    told = [json.loads(line) for line in sent.read_text().splitlines() if line]
    subjects = {each["subject"] for each in told}
    assert subjects == {f"n{number}" for number in range(COUNT)}
    # Only what was under way when it was killed comes twice, and then it has the same ID.
    assert len({each["id"] for each in told}) == COUNT
    assert sum(count - 1 for count in Counter(each["id"] for each in told).values()) <= killed
    assert read_alerts(state)["ops"].pending == ()
    assert killed > KILLS / 2
