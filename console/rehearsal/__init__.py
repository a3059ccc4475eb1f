"""A rehearsal: the swarm's shape on a private dockerd of this host, and the runbook run there for real."""
