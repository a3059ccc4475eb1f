"""What dockerd says, read from the journal, and what it means: values, parsing, signatures and the doors."""
