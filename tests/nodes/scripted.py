"""Other nodes read in tests, and engines that tell what a script says."""

import asyncio
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import ClassVar

from console.clock import SystemClock
from console.errors import Unknown
from console.nodes.reader import NodesReader
from console.nodes.settings import NodeSettings
from console.nodes.values import NodeStatus, OtherNodes
from console.settings import Settings, SnapshotSettings
from console.swarm.client import EngineConnection


def read(
    here: str, *nodes: NodeSettings, state: Path | None = None, call_timeout_s: float = 20.0
) -> OtherNodes:
    settings = Settings(node=nodes, snapshot=SnapshotSettings(call_timeout_s=call_timeout_s, settle_s=0.01))
    connection = EngineConnection(here, call_timeout_s)
    try:
        return asyncio.run(NodesReader(connection, settings, SystemClock(), state).read())
    finally:
        connection.close()


def status(nodes: OtherNodes, name: str) -> NodeStatus:
    (found,) = [each for each in nodes.statuses if each.name == name]
    return found


def reason(value: object) -> str:
    assert isinstance(value, Unknown)
    return value.reason


class ScriptedEngine(BaseHTTPRequestHandler):
    """An engine with one overlay, whose peers are as the script says at each inspection; the last ones stay."""

    hostname, address = "", ""
    peers: ClassVar[list[list[str]]] = []
    load_balancer = ""
    holding: ClassVar[threading.Event | None] = None
    """Until this is set it answers who it is, and nothing else."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].removeprefix("/v1.41").removeprefix("/v1.25")
        swarm = {"NodeID": f"id-{self.hostname}", "NodeAddr": self.address, "LocalNodeState": "active"}
        network = {"Id": "n" * 25, "Name": "proxy", "Scope": "swarm", "Driver": "overlay"}
        answers = {
            "/version": {"ApiVersion": "1.41"},
            "/info": {"Name": self.hostname, "ServerVersion": "20.10.24", "Swarm": swarm},
            "/networks": [network],
        }
        if path == "/networks" and self.holding is not None:
            self.holding.wait(60)
            return
        answer: object = answers.get(path)
        if answer is None:
            addresses = self.peers.pop(0) if len(self.peers) > 1 else self.peers[0]
            load_balancers = {"lb-proxy": {"Name": "proxy-endpoint", "IPv4Address": self.load_balancer}}
            containers = load_balancers if self.load_balancer else {}
            answer = {
                **network,
                "Containers": containers,
                "Peers": [{"Name": f"{each:>12}", "IP": each} for each in addresses],
            }
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass

    def address_string(self) -> str:
        return "here"


@contextmanager
def scripted(
    folder: Path,
    hostname: str,
    address: str,
    *peers: list[str],
    holding: threading.Event | None = None,
    load_balancer: str = "",
) -> Iterator[str]:
    """Give the address of an engine that tells these peers, one list after the other."""
    names = {
        "hostname": hostname, "address": address, "peers": list(peers), "holding": holding,
        "load_balancer": load_balancer,
    }  # fmt: skip
    with ThreadingUnixStreamServer(
        str(folder / f"{hostname}.sock"), type("Engine", (ScriptedEngine,), names)
    ) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"unix://{folder}/{hostname}.sock"
        finally:
            server.shutdown()
            thread.join()


class ThreadingUnixStreamServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
