import json
from collections.abc import Sequence

import pytest

from console.errors import HostError
from console.host import identity as routes
from console.host.identity import read_routes

ROWS = [
    {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0", "flags": []},
    {"dst": "10.8.0.0/16", "gateway": "10.8.0.1", "dev": "tun0", "flags": []},
    {"dst": "100.64.0.9", "dev": "tailscale0", "table": "52", "flags": []},
    {"type": "local", "dst": "192.0.2.2", "dev": "eth0", "table": "local", "flags": []},
    {"type": "broadcast", "dst": "192.0.2.255", "dev": "eth0", "table": "local", "flags": []},
    {"type": "local", "dst": "127.0.0.0/8", "dev": "lo", "table": "local", "flags": []},
    {"type": "blackhole", "dst": "203.0.113.0/24", "flags": []},
    {"dst": "10.8.0.0/16", "gateway": "10.8.0.1", "dev": "tun0", "flags": []},
]


def answer(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    async def output_of(argv: Sequence[str], timeout_s: float) -> bytes:
        assert argv[0] == "ip"
        assert timeout_s == 3
        return said

    monkeypatch.setattr(routes, "output_of", output_of)


async def test_destinations_of_all_tables_and_own_addresses_count(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, json.dumps(ROWS).encode())
    found = await read_routes(3)
    assert [(str(each.network), each.device) for each in found] == [
        ("10.8.0.0/16", "tun0"),
        ("100.64.0.9/32", "tailscale0"),
        ("192.0.2.2/32", "eth0"),
    ]


@pytest.mark.parametrize(
    "said", [b"Error: unknown", b'{"a": 1}', b'[{"dev": "eth0"}]', b'[{"dst": "fe80::/64"}]', b"\xff"]
)
async def test_anything_else_than_routes_is_an_error(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    answer(monkeypatch, said)
    with pytest.raises(HostError, match="gave a malformed reply"):
        await read_routes(3)


@pytest.mark.process
async def test_the_routes_of_this_machine_can_be_read() -> None:
    assert all(each.network.prefixlen for each in await read_routes(30))
