"""Does something with the temporary manager of the host that this runs on, and prints what it tells as JSON.

Usage: temporary_door.py ACT FOLDER VERSION [MANAGER_ADDRESS]. It runs inside the namespaces of a lab's engine or machine.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from console.errors import VipconsoleError
from console.host.temporary.daemon import temporary_daemon
from console.host.temporary.network import choose_cable, read_used_ranges


async def do(act: str, folder: Path, version: str, manager_address: str = "") -> Any:
    daemon = await temporary_daemon(folder, version)
    if act == "start":
        cable = choose_cable(manager_address, await read_used_ranges(10.0))
        await daemon.start(cable)
        return cable.to_json()
    if act == "running":
        return await daemon.is_running()
    if act == "remove":
        return await daemon.remove()
    if act == "leftovers":
        return await daemon.leftovers()
    raise ValueError(act)


def main(act: str, folder: str, *more: str) -> None:
    os.umask(0o022)
    try:
        answer = {"answer": asyncio.run(do(act, Path(folder), *more))}
    except VipconsoleError as error:
        answer = {"error": error.sentence, "hint": error.hint}
    print(json.dumps(answer))  # noqa: T201 - it is a command


if __name__ == "__main__":
    main(*sys.argv[1:])
