"""The predicates of runbooks: each reads, and answers whether something holds."""
