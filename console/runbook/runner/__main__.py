"""`python -m console.runbook.runner [--detach] FOLDER`: works on the run in a folder."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from console.runbook.runner.process import run_runner


def main(arguments: Sequence[str] | None = None) -> int:
    """Work on a run until it rests, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m console.runbook.runner", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--detach", action="store_true", help="continue in a process of its own session, and return at once"
    )
    asked = parser.parse_args(arguments)
    os.umask(0o077)
    if asked.detach:
        # The parent ends, so nobody has to wait for the child; and a session of its own has no terminal that could hang up.
        if os.fork():
            # At once: two processes of this name would only confuse the operator.
            os._exit(0)
        os.setsid()
    return asyncio.run(run_runner(asked.folder))


if __name__ == "__main__":
    sys.exit(main())
