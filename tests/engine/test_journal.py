"""A real exhaustion, in a real journal, read through every door: the same findings, and nobody can fake them."""

import time
from pathlib import Path

import pytest

from tests.contract.world import World
from tests.engine.lab import Engine
from tests.journal.journals import container, daemon, foreign, record, write_journal
from tests.journal.lines import VIP_LINE
from tests.support.program import vipconsole

pytestmark = pytest.mark.engine

NO_VIP = "could not find an available IP while allocating VIP"


def test_a_real_exhaustion_is_found_through_every_door(engine: Engine, tmp_path: Path) -> None:
    with World(engine.socket, time.sleep, engine.restart, "engine") as world:
        proxy = world.create_overlay("proxy", world.fresh_subnet(28))
        for number in range(13):
            world.wait_for_vip(world.create_service(f"held{number}", [proxy], replicas=0), proxy)
        late = world.create_service("late", [proxy])
        world.wait_until(lambda: NO_VIP in engine.log(), "dockerd logs the failure")
        world.wait_for_state(late, "new")
        image = "lab/could-not-find-an-available-ip-while-allocating-vip:1"
        liar = world.create_service("liar", [], image=image, command=(VIP_LINE,))
        world.update_service(liar, lambda spec: spec["Labels"].update({"said": VIP_LINE}))
        crier = world.create_service("crier", [], command=("sh", "-c", f"echo '{VIP_LINE}'; sleep 86400"))
        crash = world.create_service(
            "crash", [], command=(f'x" level=error msg="{VIP_LINE}',), restarts=False
        )
        world.wait_until(
            lambda: set(world.states(liar)) & {"rejected", "preparing"}, "the image is missing", 60
        )
        world.wait_for_state(crier, "running")
        world.wait_until(
            lambda: set(world.states(crash)) & {"failed", "rejected"}, "the command is refused", 60
        )

    folder = tmp_path / "journal"
    folder.mkdir()
    own = [daemon(line) for line in engine.log().splitlines() if line]
    write_journal(folder / "system.journal", [foreign(1), *own, container(VIP_LINE), foreign(2)])
    record(folder, tmp_path / "export", "export")
    record(folder, tmp_path / "lines", "json")
    told = {}
    for path in (folder, tmp_path / "export", tmp_path / "lines"):
        said = vipconsole("journal", "--json", "--host", engine.host, "--journal", str(path))
        assert said.code == 2
        told[path.name] = {
            each["signature"]: (each["count"], each["objects"]) for each in said.json["findings"]
        }
        assert said.json["is_complete"]
    assert told["journal"] == told["export"] == told["lines"]
    count, objects = told["journal"]["vip-create"]
    assert (count, objects["service"]) == (1, ["late"])

    seen = vipconsole("glance", "--json", "--host", engine.host, "--journal", str(folder))
    codes = {each["code"]: each for each in seen.json["findings"]}
    assert codes["logged-vip-create"]["names"] == ["late"]
    assert codes["logged-vip-create"]["severity"] == "critical"
