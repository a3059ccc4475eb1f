"""What is known of quiet from one look to the next: what was heard in between, and since when nothing was in the way."""

import asyncio
from typing import Protocol

from console.clock import Clock
from console.health.quiet.judge import judge
from console.health.quiet.values import Change, Changes, Judgement, Memory, Rules, Seen
from console.health.values import Observation
from console.host.activity import HostActivity, Inapplicable, Own
from console.host.identity import doubt_that_engine_is_ours
from console.host.survey import unlooked
from console.parts import Unknown
from console.swarm.events import Gap, Heard, Listening
from console.swarm.values import SwarmState

UNSEEN_S = 10.0
"""More than so long between two looks, beyond the pause that is meant, begins the time anew: nobody looked."""

NOT_ASKED = Unknown("What dockerd logs is not asked for: quiet does not depend on it.")


class HostEye(Protocol):
    """Looks at this host, as `console.host.survey.HostSurvey` does."""

    def own(self) -> Own:
        """Return this process among the others."""
        ...

    async def take(self) -> HostActivity:
        """Return what goes on now."""
        ...


class OwnHost:
    """What goes on on this host, where the engine at an address is its own."""

    def __init__(self, host: str, eye: HostEye) -> None:
        self._host = host
        self._eye = eye
        self._is_ours = False

    async def activity(self, swarm: SwarmState) -> HostActivity:
        """Return what goes on now, or why that has nothing to do with the engine."""
        # Once the engine was proven to be this host's own it stays so, also while it restarts.
        if not self._is_ours:
            if isinstance(swarm.engine, Unknown):
                return unlooked(Unknown("It is not known whose engine it is."), self._eye.own())
            doubt = await asyncio.to_thread(doubt_that_engine_is_ours, self._host, swarm.engine.name)
            if doubt is not None:
                return unlooked(Inapplicable(doubt.reason), self._eye.own())
            self._is_ours = True
        return await self._eye.take()


class Stillness:
    """Judges one look after the other, with what the engine told in between."""

    def __init__(self, host: str, clock: Clock, rules: Rules) -> None:
        self._host = host
        self._clock = clock
        self._rules = rules
        self._memory = Memory()
        self._heard: list[Change] = []
        self._deaf: Unknown | None = Unknown("The engine's changes are not heard yet.")
        self._hears_since_s = self._seen_s = clock.monotonic()
        self._calm_s: float | None = None

    def hear(self, each: Heard) -> None:
        """Take in what the engine told."""
        now_s, now = self._clock.monotonic(), self._clock.now()
        match each:
            case Listening():
                self._deaf, self._hears_since_s = None, now_s
            case Gap(why):
                self._deaf = why
                self._heard.append(Change(None, now, now_s))
            case _:
                self._heard.append(Change(each, now, now_s))

    def judge(self, swarm: SwarmState, activity: HostActivity) -> Judgement:
        """Return what a look amounts to, with what was heard so far."""
        now_s = self._clock.monotonic()
        self._heard = [each for each in self._heard if now_s - each.heard_s < self._rules.dwell_s]
        observation = Observation(self._host, self._clock.now(), 0.0, swarm, None, (), NOT_ASKED)
        seen = Seen(observation, activity, Changes(tuple(self._heard), self._deaf), now_s)
        judgement = judge(seen, self._memory, self._rules)
        self._memory = judgement.memory
        return judgement

    def quiet_since(self, judgement: Judgement, pause_s: float) -> float | None:
        """Return since when it has been quiet without a break, by the monotonic clock; None while it is not.

        To be asked once after each look; `pause_s` is the longest that is meant to lie between two of them.
        """
        before_s, self._seen_s = self._seen_s, self._clock.monotonic()
        if self._seen_s - before_s > pause_s + UNSEEN_S:
            self._calm_s = None
        # Changes have a time of their own; everything else is only known at each look.
        if any(each.code != "changes" for each in judgement.report.blocking):
            self._calm_s = None
        elif self._calm_s is None:
            self._calm_s = self._seen_s
        if self._calm_s is None or self._deaf is not None:
            return None
        changed = [] if judgement.changed_s is None else [judgement.changed_s]
        return max(self._calm_s, self._hears_since_s, *changed)
