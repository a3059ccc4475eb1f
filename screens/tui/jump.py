"""What the palette finds besides commands: the networks, services and stacks of the newest snapshot, by a few letters."""

from collections.abc import Iterator
from functools import partial
from heapq import nlargest
from operator import attrgetter

from textual.command import Hit, Hits, Provider
from textual.message import Message

from console.errors import known
from console.frozen import frozen
from console.monitor.values import AssessedSnapshot, MonitorState
from screens.present.matching import TextMatch, match
from screens.tui.environment import OpenNetwork, OpenWhy
from screens.tui.keys import highlighted

MOST = 50
"""Hits that are listed: nobody reads more, and each takes time to draw."""


@frozen
class Place:
    """Something to go to."""

    kind: str
    name: str
    message: Message
    """What opens it."""
    preference: float = 0.0
    """Puts one kind before another where both match as well."""

    @property
    def text(self) -> str:
        """How it is listed."""
        return f"{self.kind} {self.name}"


@frozen
class _Found:
    place: Place
    match: TextMatch

    @property
    def score(self) -> float:
        return self.match.score + self.place.preference


def places_of(snapshot: AssessedSnapshot) -> Iterator[Place]:
    """Yield what a snapshot has: networks open their page; services and stacks open why they do not run."""
    for account in snapshot.assessment.accounts:
        yield Place("network", account.network.name, OpenNetwork(account.network.id), 3)
    services = known(snapshot.snapshot.swarm.services, ())
    for stack in sorted({service.stack for service in services if service.stack}):
        yield Place("stack", stack, OpenWhy(stack=stack), 2)
    for service in services:
        yield Place("service", service.name, OpenWhy(service.id), 1)


class PlaceProvider(Provider):
    """Gives the palette what the swarm has. It reads the newest snapshot and asks the engine nothing."""

    async def startup(self) -> None:
        """Take the snapshot that is newest when the palette opens."""
        monitor_state = getattr(self.app, "monitor_state", None)
        snapshot = monitor_state.snapshot.value if isinstance(monitor_state, MonitorState) else None
        self._places = () if snapshot is None else tuple(places_of(snapshot))

    async def search(self, query: str) -> Hits:
        """Yield what matches best."""
        hits = [
            _Found(place, own)
            for place in self._places
            if (own := match(query, place.text, len(place.kind) + 1)) is not None
        ]
        for found in nlargest(MOST, hits, key=attrgetter("score")):
            display = highlighted(found.place.text, found.match, self.match_style)
            go = partial(self.app.post_message, found.place.message)
            yield Hit(found.score, display, go, text=found.place.text)
