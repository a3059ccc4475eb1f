"""Widgets that several screens could use."""
