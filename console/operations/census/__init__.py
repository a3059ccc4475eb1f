"""Walks the addresses of a network with a probe service, and names those that leaked."""
