"""What is measured is the program as it is installed."""

import pytest

from tests.support.forked import ZYGOTES


@pytest.fixture(autouse=True)
def _starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no start be saved."""
    monkeypatch.setattr(ZYGOTES, "are_allowed", False)
