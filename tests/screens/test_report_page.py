"""The report as one HTML file: it stands alone, nothing in it runs, and no text in it is markup."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from console.runbook.run import events
from console.runbook.run.view import Live, StoredRun
from console.runbook.store.finished import LOG
from console.runbook.store.folders import create_run
from screens.cli.main import main
from screens.output.run_report.page import as_html
from tests.support.paper_window import (
    DOWN,
    HEADS,
    NEW,
    PaperWindow,
    finished_run,
    recreate_outputs,
    undone_run,
    unfinished_run,
)
from tests.support.runs import ALICE, START, header

VOID = frozenset(("meta",))
LOADING = frozenset(("src", "href", "srcset", "action", "data", "poster", "background"))
HOSTILE = "</title><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m\u202e\"'&"


class Page(HTMLParser):
    """Follows the tags of a page, and keeps what a test asks for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.append((tag, values))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def bars(self, kind: str) -> list[dict[str, str]]:
        return [
            values for tag, values in self.tags if values.get("class") == f"bar {kind}" and "style" in values
        ]


@pytest.mark.parametrize(
    "run", [finished_run(), undone_run(), unfinished_run()], ids=["finished", "undone", "unfinished"]
)
def test_the_page_stands_alone_and_runs_nothing(run: StoredRun) -> None:
    text = as_html(run)
    page = Page(text)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    for _, values in page.tags:
        assert not LOADING & set(values)
        assert not [name for name in values if name.startswith("on")]
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text
    assert "hunter2" not in text


def test_each_service_and_each_step_has_its_bar() -> None:
    page = Page(as_html(finished_run()))
    assert len(page.bars("down")) == len(DOWN)
    # The longest outage comes first, and takes the whole scale.
    assert page.bars("down")[0]["style"] == "left:0.00%;width:100.00%"
    assert len(page.bars("act")) == len(HEADS) - 1
    assert len(Page(as_html(undone_run())).bars("down")) == 2 * len(DOWN)
    assert len(Page(as_html(undone_run())).bars("undo")) == 1


def test_no_text_in_it_is_markup() -> None:
    window = PaperWindow()
    window.up_to_outage()
    window.write(230, events.Succeeded("recreate", 1, recreate_outputs(NEW, {HOSTILE: (201.0, 219.0)}), 30))
    window.decide("recreate", 240, events.Choice.SKIP, HOSTILE)
    view = window.stored.view
    run = StoredRun(
        replace(view, header=replace(view.header, title=HOSTILE)), Live(lines={"recreate": (HOSTILE,)})
    )
    text = as_html(run)
    page = Page(text)
    assert {tag for tag, _ in page.tags} <= {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "dl", "dt", "dd", "code", "div",
        "span", "details", "summary", "pre",
    }  # fmt: skip
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert any("<script>alert(1)</script>" in part for part in page.texts)


def store_run(state: Path) -> None:
    folder = create_run(state, events.Began(header(), HEADS, ALICE), b"", START)
    assert (folder / LOG).exists()


def test_it_is_written_for_its_owner_only_and_replaces_plain_files_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    store_run(tmp_path / "state")
    monkeypatch.setenv("VIPCONSOLE_STATE_DIR", str(tmp_path / "state"))
    path, link = tmp_path / "report.html", tmp_path / "link"
    path.write_text("an older one")
    assert main(["report", "--html", str(path)]) == 3
    assert path.read_text().startswith("<!DOCTYPE html>")
    assert path.stat().st_mode & 0o777 == 0o600
    assert f"written to {path}" in capsys.readouterr().err
    link.symlink_to(path)
    assert main(["report", "--html", str(link)]) == 64
    assert link.is_symlink()
    assert "is not a plain file" in capsys.readouterr().err
