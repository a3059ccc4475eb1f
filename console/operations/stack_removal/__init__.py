"""Removes stacks without losing addresses: no network goes before the last task on it has stopped."""
