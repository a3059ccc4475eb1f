"""Whether other nodes are reached over an overlay itself: from this node's load balancer on it to theirs, as ping(8) does.

A load balancer is the one place on an overlay that every node with tasks there has, and `ingress` has one on all nodes. The
packets go the way that containers' packets go: VXLAN, UDP port 4789. Nothing else in an engine tells whether they arrive.
"""

import ctypes
import os
import select
import socket
import struct
import time
from collections.abc import Iterable
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

from console.concurrency import OwningThreads
from console.host.root import under_root
from console.nodes.values import NetworkCopy

SANDBOXES = under_root("/run/docker/netns")
"""Where dockerd keeps the network namespaces that it has made (libnetwork: osl/namespace_linux.go)."""
ATTEMPTS = 4
PAUSE_S = 0.5
"""An answer comes within a millisecond; the first packet may wait for the overlay to be set up."""
_NEW_NETWORK = 0x40000000
"""CLONE_NEWNET of setns(2)."""
_ECHO, _ECHO_REPLY = 8, 0


def sandbox_of(copy: NetworkCopy, folder: Path = SANDBOXES) -> Path:
    """Return the network namespace of this node's load balancer on an overlay."""
    ingress = folder / "ingress_sbox"
    return ingress if copy.name == "ingress" else folder / f"lb_{copy.id[:9]}"


async def answering(sandbox: Path, addresses: Iterable[IPv4Address]) -> frozenset[IPv4Address]:
    """Return those that answer from within a network namespace, after two seconds at the most.

    Raises OSError where this user may not enter it (that takes root), or it is not there.
    """
    # A thread of its own, which ends afterwards: no other work may run in that namespace.
    threads = OwningThreads(partial(_socket_in, sandbox), socket.socket.close, 1)
    try:
        return await threads.call(partial(_ask, addresses=frozenset(addresses)))
    finally:
        threads.close()


def _socket_in(sandbox: Path) -> socket.socket:
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(sandbox, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(descriptor, _NEW_NETWORK):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(sandbox))
    finally:
        os.close(descriptor)
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


def _ask(raw: socket.socket, addresses: frozenset[IPv4Address]) -> frozenset[IPv4Address]:
    own_id = int.from_bytes(os.urandom(2), "big")
    silent = set(addresses)
    for attempt in range(ATTEMPTS):
        for address in silent:
            try:
                raw.sendto(_echo(own_id, attempt), (str(address), 0))
            except OSError:
                # No way leads there, which is no answer.
                continue
        end_s = time.monotonic() + PAUSE_S
        while silent and (left_s := end_s - time.monotonic()) > 0:
            if select.select([raw], [], [], left_s)[0]:
                packet, (sender, _) = raw.recvfrom(1024)
                if _is_reply(packet, own_id):
                    silent.discard(IPv4Address(sender))
    return addresses - silent


def _echo(own_id: int, number: int) -> bytes:
    head = struct.pack("!BBHHH", _ECHO, 0, 0, own_id, number)
    total = sum(struct.unpack("!4H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!BBHHH", _ECHO, 0, ~total & 0xFFFF, own_id, number)


def _is_reply(packet: bytes, own_id: int) -> bool:
    start = (packet[0] & 0x0F) * 4 if packet else 0
    if len(packet) < start + 8:
        return False
    kind, _, _, id_, _ = struct.unpack("!BBHHH", packet[start : start + 8])
    return (kind, id_) == (_ECHO_REPLY, own_id)
