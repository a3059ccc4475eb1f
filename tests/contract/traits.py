"""What differs between engine versions: the one place that tests ask, instead of assuming the engine that is installed."""

from dataclasses import dataclass

from tests.contract.calls import JSON

API_26_1, API_28_5, API_29 = (1, 45), (1, 51), (1, 52)
"""The API version that each engine speaks at most; a build of moby's main speaks a later one."""


@dataclass(frozen=True)
class EngineTraits:
    """What an engine does, by the API version that it speaks."""

    api: tuple[int, int]

    @classmethod
    def of(cls, version: JSON) -> "EngineTraits":
        """Return the traits of the engine that gave this answer to `GET /version`."""
        major, minor = version["ApiVersion"].split(".")
        return cls((int(major), int(minor)))

    @property
    def counts_addresses(self) -> bool:
        """Whether the allocator's own count is told (`Status` of a network)."""
        return self.api >= API_29

    @property
    def allocates_tiny_subnets(self) -> bool:
        """Whether an overlay of /31 or /32 gets its subnet; before, it waits for ever."""
        return self.api >= API_26_1

    @property
    def allocates_ipv6(self) -> bool:
        """Whether an overlay with an IPv6 subnet gets its subnets; after, it waits for ever."""
        return self.api < API_28_5

    @property
    def aliases_have_short_id(self) -> bool:
        """Whether a container's aliases hold the first 12 digits of its ID."""
        return self.api < API_26_1

    @property
    def takes_networks_at_service(self) -> bool:
        """Whether `Networks` beside the task template of a service count; later engines drop them without a word."""
        return self.api < API_29

    @property
    def logs_key_modified(self) -> bool:
        """Whether dockerd logs the harmless `key modified` when the last task of a node leaves an overlay."""
        return self.api < API_29

    @property
    def logs_refused_specs(self) -> bool:
        """Whether dockerd logs, as an error of its own, that the spec of a new service is not valid."""
        return self.api < API_26_1

    @property
    def tells_why_no_pull(self) -> bool:
        """Whether a task tells why its image was not pulled; before, only that the node lacks the image."""
        return self.api >= API_29

    @property
    def overlap_signature(self) -> str:
        """Which signature dockerd's line about an overlapping subnet has: later ones say `invalid pool request:` first."""
        return "pool-overlap-new" if self.api >= API_28_5 else "pool-overlap"
