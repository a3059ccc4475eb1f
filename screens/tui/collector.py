"""When Python's collector of unreachable cycles may stop the console, which it does for as long as it looks.

Most of what it would look through is what the console is made of, and the newest snapshot: hundreds of milliseconds with
thousands of services, again and again. So what was loaded is left out for good, what is new is looked through often, and
everything only while nobody uses the console.
"""

import gc

from console.clock import Clock

YOUNG = 5_000
"""So many new objects are looked through at a time: about a millisecond. Most cycles are left behind soon."""
MIDDLE = 4
OLD = 100_000
"""Everything would be looked through after so many times: never."""
EVERY_S = 600.0
REST_S = 30.0
"""So long nobody has pressed a key when everything is looked through."""


class GarbageCollector:
    """Lets the collector work from the first data on; until then it is off (`gc.disable`)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._is_on = False
        self._used_s = self._collected_s = clock.monotonic()

    def begin(self) -> None:
        """Leave out what is there now, and begin."""
        self._is_on = True
        self._collected_s = self._clock.monotonic()
        gc.freeze()
        gc.set_threshold(YOUNG, MIDDLE, OLD)
        gc.enable()

    def note_use(self) -> None:
        """Note that a key was pressed or the mouse was moved."""
        self._used_s = self._clock.monotonic()

    def rest(self) -> None:
        """Look through everything, if it is time and nobody has used the console for a while. Ask now and then."""
        now_s = self._clock.monotonic()
        if self._is_on and now_s - self._collected_s >= EVERY_S and now_s - self._used_s >= REST_S:
            gc.collect()
            self._collected_s = self._clock.monotonic()
