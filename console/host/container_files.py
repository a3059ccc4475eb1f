"""What dockerd writes down of a container and does not tell: whether its address on a network was given by hand.

The API shows `IPAMConfig.IPv4Address` for every attached container that runs, whoever chose the address. In
`config.v2.json` the engine notes `IPAMOperational` beside it where it chose itself (moby, daemon/network/settings.go;
seen on 20.10).
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path


def given_addresses(root: Path, container_ids: Iterable[str], network: str) -> Mapping[str, bool]:
    """Return for each container whether its address on a network was given by hand; absent where that is not to be read."""
    found: dict[str, bool] = {}
    for each in container_ids:
        try:
            data = json.loads((root / "containers" / each / "config.v2.json").read_text("utf-8"))
            endpoint = data["NetworkSettings"]["Networks"][network]
            is_chosen = endpoint["IPAMOperational"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if isinstance(is_chosen, bool):
            found[each] = bool(endpoint.get("IPAMConfig")) and not is_chosen
    return found
