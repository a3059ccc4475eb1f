"""Takes snapshots of a swarm and its host for as long as somebody looks, and publishes them, dated and frozen."""
