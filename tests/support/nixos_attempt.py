"""One attempt of a step on a NixOS host, in a process of its own that may be killed: `nixos_attempt.py JSON`."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from console.errors import VipconsoleError
from console.runbook.actions.nix_edit import NixEditAndBuild
from console.runbook.actions.nixos_switch import NixosSwitch
from console.runbook.language.checking import parameters_for
from console.runbook.language.values import Call
from tests.support.nixos import Host, step

ACTIONS = {each.name: each for each in (NixEditAndBuild, NixosSwitch)}


async def attempt(told: dict[str, Any]) -> None:
    host = Host(Path(told["host"]))
    action: Any = ACTIONS[told["action"]](host.places(systemd=told["systemd"]))
    context = step(host, told["step"], crash_after=told["crash_after"])
    parameters = parameters_for(Call(action.name, told["parameters"]), action.parameters)
    try:
        if told["method"] == "act":
            await action.act(context, parameters)
        else:
            await action.undo(context, parameters, {})
    except VipconsoleError as error:
        sys.exit(error.sentence)


if __name__ == "__main__":
    asyncio.run(attempt(json.loads(sys.argv[1])))
