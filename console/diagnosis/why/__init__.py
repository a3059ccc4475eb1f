"""Why the tasks of a service do not run: causes as an ordered table of pure functions."""
