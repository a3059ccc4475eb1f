"""What is told of a bug in an action: the run goes on to be safe, and the traceback goes to the runner's own output."""

import sys
import traceback

from console.text import clean


def told_of_bug(error: Exception) -> str:
    """Write where a bug is to standard error, without any values of variables, and return a sentence about it."""
    sys.stderr.write("".join(traceback.format_exception(error)).encode("ascii", "backslashreplace").decode())
    sys.stderr.flush()
    return (
        f"This is a bug in vipconsole ({type(error).__name__}: {clean(str(error), 200)}). "
        "The runner's output, in the run's folder or in the journal, tells where."
    )
