"""What every screen is told once, when the console opens."""

from dataclasses import dataclass
from datetime import tzinfo

from console.clock import Clock
from console.settings import Settings
from screens.output.glyphs import ASCII, Glyphs


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the console runs, and what it looks at."""

    settings: Settings
    host: str
    """Address of the engine, clean."""
    glyphs: Glyphs
    zone: tzinfo
    """In which times are shown."""
    clock: Clock
    where: tuple[str, str] = ("", "")
    """What a command needs before and behind it to reach the same engine, such as `DOCKER_HOST=… ` and ` --demo`."""
    may_decide: bool = False
    """Whether decisions about a run are taken here; else it is only looked."""

    @property
    def is_ascii(self) -> bool:
        """Whether the terminal has nothing but ASCII."""
        return self.glyphs is ASCII
