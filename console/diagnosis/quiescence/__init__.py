"""Whether a swarm and its host are quiet, and what keeps them from it."""
