"""What a step can do: a closed registry of typed actions and predicates, each thin over an operation or a check."""
