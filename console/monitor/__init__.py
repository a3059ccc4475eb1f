"""Takes snapshots of a swarm and its host until closed, and publishes them, dated and frozen."""
