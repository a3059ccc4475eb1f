"""Watches a swarm and its host for as long as somebody looks, and publishes dated, frozen scenes."""
