"""Everything that changes a swarm. Each operation plans first, records each change before and after it, and verifies by a new snapshot."""
