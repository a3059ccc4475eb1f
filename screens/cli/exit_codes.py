"""Exit codes beyond those of the findings (0 ok, 1 warning, 2 critical, 3 unknown)."""

UNKNOWN = 3
USAGE = 64
"""EX_USAGE of sysexits.h."""
BUG = 70
"""EX_SOFTWARE of sysexits.h."""
INTERRUPTED = 130
"""128 + SIGINT, as in a shell."""
PIPE_CLOSED = 141
"""128 + SIGPIPE: the reader of the output has closed it."""
