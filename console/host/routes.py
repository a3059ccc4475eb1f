"""The IPv4 routes and addresses of this host, which an overlay's subnet must not overlap."""

import json
from ipaddress import IPv4Network

from console.errors import HostError
from console.host.process import output_of
from console.host.values import Route
from console.text import clean


async def read_routes(timeout_s: float) -> tuple[Route, ...]:
    """Return the unicast routes of all tables and the host's own addresses, default and loopback left out.

    Raises HostError when `ip` (iproute2) is not there or says something else than its JSON.
    """
    said = await output_of(("ip", "-4", "-json", "route", "show", "table", "all"), timeout_s)
    try:
        rows = json.loads(said or b"[]")
        routes = [
            Route(IPv4Network(row["dst"]), clean(row.get("dev") or ""))
            for row in rows
            if row["dst"] != "default" and row.get("type", "unicast") in ("unicast", "local")
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HostError("`ip -json route` did not answer with routes.", "It comes with iproute2.") from error

    return tuple(dict.fromkeys(each for each in routes if each.device != "lo" and each.network.prefixlen))
