"""Rows, paragraphs and marks, made from values by pure functions: no widget, no terminal."""
