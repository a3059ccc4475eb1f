"""The program as a process: it is loaded without garbage collection, and ends without tearing its modules down.

Both took a seventh of a `glance` at 200 services. What is loaded here at the top is loaded with garbage collection.
"""

import gc
import os
import sys


def program() -> None:
    """Run `vipconsole`, and end this process with its exit code."""
    # All that loading makes stays, so nothing would be freed. `main` turns it on again, once it knows the command.
    gc.disable()
    from screens.cli.main import main

    try:
        code = main()
    except SystemExit as ending:
        # `--help` and `--version` end so.
        if not isinstance(ending.code, int):
            raise
        code = ending.code
    _end(code)


def _end(code: int) -> None:
    """End as Python does, but without collecting garbage once more and without tearing down every module."""
    import atexit
    import threading

    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        # Who still works is waited for.
        sys.exit(code)
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        # Python says what is lost.
        sys.exit(code)
    os._exit(code)
