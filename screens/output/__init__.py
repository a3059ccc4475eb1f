"""One-shot output: for a plain terminal, and for machines."""
