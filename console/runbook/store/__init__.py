"""Where a run is kept: a folder of its own, with a log that is only ever appended to."""
