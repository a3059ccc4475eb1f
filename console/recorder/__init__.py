"""The recorder: keeps what happens to a swarm while no console is open."""
