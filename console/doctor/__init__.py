"""What works on this host and what does not, with what mends it."""
