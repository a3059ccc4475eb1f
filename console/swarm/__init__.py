"""A swarm as values, and the one door to the Docker Engine API."""
