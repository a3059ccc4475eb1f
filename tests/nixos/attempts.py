"""Attempts of steps on a NixOS host: in this process, or in one of their own that may be killed."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.runbook.actions.nix_edit import NixEditAndBuild
from console.runbook.actions.nixos_switch import NixosSwitch
from console.runbook.contracts import Action, ActionPlan, CheckResult
from console.runbook.language.checking import parameters_for
from console.runbook.language.values import Call, Json
from tests.support.nixos import Host, StepContext, step

ATTEMPT = Path(__file__).parents[1] / "support/nixos_attempt.py"


@dataclass
class Attempts:
    """Every attempt of one step: each finds on disk what those before it wrote down."""

    host: Host
    action: Action[Any]
    name: str
    parameters: dict[str, Json]
    systemd: bool
    timeout_s: float = 100.0
    last: StepContext | None = None

    @property
    def said(self) -> list[str]:
        assert self.last is not None
        return self.last.said

    def next(self) -> tuple[StepContext, Any]:
        """Return the context of a new attempt, and the parameters."""
        self.last = step(self.host, self.name, timeout_s=self.timeout_s)
        return self.last, parameters_for(Call(self.action.name, self.parameters), self.action.parameters)

    async def plan(self) -> ActionPlan:
        return await self.action.plan(*self.next())

    async def probe(self) -> CheckResult:
        return await self.action.probe(*self.next())

    async def act(self) -> Mapping[str, Json]:
        return await self.action.act(*self.next())

    async def verify(self, outputs: Mapping[str, Json] | None = None) -> CheckResult:
        return await self.action.verify(*self.next(), outputs or {})

    async def undo(self) -> None:
        await self.action.undo(*self.next(), {})

    async def start(
        self, method: str = "act", crash_after: str = "", **options: Any
    ) -> asyncio.subprocess.Process:
        """Start an attempt in a process of its own, which is killed right after it wrote something down, if asked."""
        told = {
            "host": str(self.host.folder),
            "action": self.action.name,
            "step": self.name,
            "parameters": self.parameters,
            "systemd": self.systemd,
            "method": method,
            "crash_after": crash_after,
        }
        return await asyncio.create_subprocess_exec(
            sys.executable,
            str(ATTEMPT),
            json.dumps(told),
            env={**os.environ, "PYTHONPATH": str(ATTEMPT.parents[2])},
            **options,
        )


def edits(host: Host, *, systemd: bool = False, **parameters: Json) -> Attempts:
    """Return the step that edits and builds."""
    given: dict[str, Json] = {"network": "proxy", "subnet": "10.10.0.0/16", **parameters}
    return Attempts(host, NixEditAndBuild(host.places(systemd=systemd)), "build", given, systemd)


def switches(host: Host, system: str, *, systemd: bool, **parameters: Json) -> Attempts:
    """Return the step that switches to a system."""
    given: dict[str, Json] = {"system": system, **parameters}
    return Attempts(host, NixosSwitch(host.places(systemd=systemd)), "switch", given, systemd)
