"""Whether a snapshot some seconds before shows the same of a network: only then is a count of what leaked exact. Pure."""

from collections.abc import Mapping

from console.addresses.holders import HolderIndex, NetworkHolders, holders_on, index_holders
from console.errors import Unknown, known
from console.frozen import frozen
from console.swarm.model import Network, SubnetUse, SwarmState


@frozen
class EarlierSnapshot:
    """The overlays of an earlier snapshot, by ID, and who held addresses then."""

    networks: Mapping[str, Network]
    index: HolderIndex

    def has(self, network: Network, holders: NetworkHolders, index: HolderIndex) -> bool:
        """Whether it shows the same of a network, whose holders now are given, and those of all."""
        before = self.networks.get(network.id)
        if before is None:
            return False
        # Of what is the very same there is nothing to compare, however much it is.
        is_identical = before is network and self.index is index
        return is_identical or (
            holders_on(before, self.index) == holders
            and task_states(before, self.index) == task_states(network, index)
            and use_of(before) == use_of(network)
        )


def task_states(network: Network, index: HolderIndex) -> frozenset[tuple[str, str, str]]:
    """Return the tasks of a network: ID, state and desired state."""
    return frozenset((task.id, task.state, task.desired_state) for _, task in index.tasks.get(network.id, ()))


def use_of(network: Network) -> Mapping[str, SubnetUse]:
    """Return what the engine counts in the subnets of a network; nothing where it does not tell."""
    return {} if isinstance(network.detail, Unknown) else network.detail.use


def earlier_snapshot(
    earlier: SwarmState | None, swarm: SwarmState, index: HolderIndex
) -> EarlierSnapshot | None:
    """Return the earlier snapshot of a swarm, None where there is none; `index` has the holders of now."""
    if earlier is None:
        return None
    is_index_same = (
        earlier.services is swarm.services
        and earlier.tasks is swarm.tasks
        and earlier.nodes is swarm.nodes
        and earlier.engine is swarm.engine
        and earlier.load_balancers is swarm.load_balancers
    )
    return EarlierSnapshot(
        {network.id: network for network in known(earlier.networks, ()) if network.is_overlay},
        index if is_index_same else index_holders(earlier),
    )
