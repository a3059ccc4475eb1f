"""`vipconsole schema`: the JSON Schema of runbooks."""

import sys
from argparse import Namespace

from console.runbook.language.schema import schema_text


def run(_asked: Namespace) -> int:
    """Print the schema."""
    sys.stdout.write(schema_text())
    return 0
