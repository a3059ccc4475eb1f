"""What a runbook file says: read, checked with every problem at once, and filled in."""
