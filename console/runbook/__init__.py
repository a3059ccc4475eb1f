"""Guided maintenance: a file of typed steps, a plan, and a run that survives whatever happens to it."""
