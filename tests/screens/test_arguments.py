"""The console's own arguments are read without the parsers of all commands, to the same end."""

import pytest

from screens.cli.arguments import build_parser, console_arguments


@pytest.mark.parametrize(
    "words",
    [
        "",
        "--host tcp://a:1",
        "--demo --fresh",
        "--config a/b --state-dir c",
        "--journal=x",
        "--conf a",
        "--host glance",
    ],
)
def test_the_console_reads_its_options_as_the_whole_parser_does(words: str) -> None:
    arguments = console_arguments(words.split())
    assert arguments is not None
    assert vars(arguments) == vars(build_parser().parse_args(words.split()))


@pytest.mark.parametrize(
    "words", ["glance", "--host a glance", "--help", "--version", "--host", "--hots a", "x"]
)
def test_what_is_no_console_is_left_to_the_whole_parser(words: str) -> None:
    assert console_arguments(words.split()) is None
