"""What is found out before a manager is borrowed: whether it can be done on this host, and how the two are connected."""

import asyncio
from ipaddress import IPv4Network

from console.errors import Declined, EngineError, Result, Unknown, VipconsoleError, known, unknown_from
from console.host.temporary.values import Cable
from console.operations.borrow.host import BorrowHost
from console.operations.borrow.options import BorrowOptions
from console.operations.borrow.plan import BorrowFacts
from console.storage.state import BORROW_FOLDER
from console.swarm.client import EngineConnection
from console.swarm.membership import EngineMembership, Membership
from console.swarm.model import SwarmState


async def read_facts(
    connection: EngineConnection, swarm: SwarmState, options: BorrowOptions, host: BorrowHost
) -> BorrowFacts:
    """Return what decides whether a manager can be borrowed here; what speaks against it stands in place of the cable."""
    cable: Result[Cable]
    folder = options.state / BORROW_FOLDER
    membership = EngineMembership(connection, lambda _: None)
    try:
        not_ours = await host.why_foreign(connection.host, swarm.engine)
        if not_ours is not None:
            raise Declined(f"No second dockerd is started on this host. {not_ours.reason}", not_ours.hint)
        member = await membership.read()
        cable = await _cable(membership, member, swarm, options, host)
    except VipconsoleError as error:
        return BorrowFacts(swarm, folder, unknown_from(error))
    return BorrowFacts(swarm, folder, cable, member.manager_address)


async def _cable(
    membership: EngineMembership,
    member: Membership,
    swarm: SwarmState,
    options: BorrowOptions,
    host: BorrowHost,
) -> Cable:
    if not member.is_manager or not member.manager_address:
        raise EngineError(
            "The engine does not say where other managers reach it.",
            "`docker info` shows what it says of the swarm.",
        )
    await _decline_if_locked(membership, options.unlock_key)
    await asyncio.to_thread(host.require_room, member.root_dir, options.state)
    ranges = {
        subnet.network
        for network in known(swarm.networks, ())
        for subnet in network.subnets
        if isinstance(subnet.network, IPv4Network)
    }
    if not isinstance(swarm.engine, Unknown):
        ranges |= set(swarm.engine.default_pools)
    return await host.find_cable(member.address, ranges)


async def _decline_if_locked(membership: EngineMembership, unlock_key: str) -> None:
    settings = await membership.settings()
    if not settings.is_autolocked:
        return
    if not unlock_key:
        raise Declined(
            "This swarm locks its managers: a temporary one that is restarted would need the unlock key.",
            "Give it with --unlock-key-file; `docker swarm unlock-key -q` shows it.",
        )
    if not await membership.has_unlock_key(unlock_key):
        raise Declined("The unlock key is not that of this swarm.", "`docker swarm unlock-key -q` shows it.")
