"""What a step can do: a closed registry of typed actions and predicates, each thin over a remedy or a check."""
