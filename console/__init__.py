"""What the console knows and does: no screen, no printing."""

__version__ = "0.1.0"
