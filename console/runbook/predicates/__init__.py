"""The predicates of runbooks: each looks, and says whether something holds."""
