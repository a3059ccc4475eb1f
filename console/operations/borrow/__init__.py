"""Leaked addresses given back by a second manager for a moment: the plan, its record on disk, and doing it."""
