"""What a Nix file of the tests is: its text, and what has to be read in it.

`NEW` stands where the edit has to put the subnet; without it the file must be left as it is.
"""

from dataclasses import dataclass

from console.nixos.swarm_nix import SubnetVerdict

NEW = "<<>>"
SHELL, LIST = "--subnet 10.10.0.0/16 ", '"--subnet" "10.10.0.0/16" '


@dataclass(frozen=True)
class Case:
    """One file."""

    id: str
    marked: str
    verdict: SubnetVerdict
    lines: tuple[int, ...]
    says: str = ""
    """What the sentence, its hint or its notes must contain."""
    inserted: str = SHELL

    @property
    def before(self) -> bytes:
        return self.marked.replace(NEW, "").encode()

    @property
    def after(self) -> bytes:
        return self.marked.replace(NEW, self.inserted).encode()


def unit(script: str) -> str:
    """Return a module with a oneshot that runs a script."""
    body = "\n".join(f"      {line}" if line else "" for line in script.split("\n"))
    return (
        "{ config, pkgs, lib, ... }:\n{\n  systemd.services.swarm-init = {\n"
        f"    script = ''\n{body}\n    '';\n  }};\n}}\n"
    )


A, P, C, S, U, N = (
    SubnetVerdict.ABSENT,
    SubnetVerdict.PRESENT,
    SubnetVerdict.CONFLICT,
    SubnetVerdict.SEVERAL,
    SubnetVerdict.UNCLEAR,
    SubnetVerdict.NONE,
)
