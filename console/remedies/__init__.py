"""Every operation that changes a swarm, written once."""
