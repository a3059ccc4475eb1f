"""The command line: the parser, what commands share, and in `commands` one module for each, imported only when it is used."""
