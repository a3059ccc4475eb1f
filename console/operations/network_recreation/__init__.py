"""Recreates an overlay with another subnet: parks what is on it, removes it, creates it, and puts everything back."""
