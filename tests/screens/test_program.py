"""The program as a process: how it is loaded, and how it ends."""

import os
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from screens.cli.program import program

NOWHERE = ("glance", "--host", "unix:///nonexistent")
SILENT = ("glance", "--output", "file")
"""A mistake in usage: nothing of it goes to the output."""


def run(before: str, *arguments: str, out: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Run the program in a process in which something has been done before."""
    # What is unbuffered arrives whatever becomes of the end.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    code = f"import sys\n{before}\nfrom screens.cli.program import program\nprogram()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )


def test_it_is_what_is_installed() -> None:
    (script,) = (each for each in entry_points(group="console_scripts") if each.name == "vipconsole")
    assert script.load() is program


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(NOWHERE, 3), (("schema",), 0), (("--version",), 0), (SILENT, 64), (("glence",), 64)],
)
def test_it_ends_with_the_exit_code(arguments: tuple[str, ...], code: int) -> None:
    assert run("", *arguments).returncode == code


def test_all_that_it_says_arrives() -> None:
    text = run("", "schema").stdout
    assert len(text) > 10_000
    assert text.endswith("}\n")


def test_what_is_to_be_done_at_the_end_is_done_and_its_words_arrive() -> None:
    done = run("import atexit; atexit.register(lambda: print('at the end', flush=False))", *SILENT)
    assert done.stdout == "at the end\n"


def test_who_still_works_is_waited_for() -> None:
    work = (
        "import os, threading, time\n"
        "def work():\n"
        "    while not sys.modules.get('screens.output.plain'): time.sleep(0.01)\n"
        "    time.sleep(0.2)\n"
        "    os.write(1, b'done\\n')\n"
        "threading.Thread(target=work).start()"
    )
    assert run(work, *SILENT).stdout == "done\n"


def test_a_full_disk_is_said_at_the_end_too() -> None:
    before = "import atexit; atexit.register(lambda: print('lost', flush=False))"
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        done = run(before, *SILENT, out=full)
    finally:
        os.close(full)
    assert done.returncode == 120
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("arguments", "threshold"), [(("schema",), 700), (SILENT, 50_000)])
def test_garbage_is_looked_for_once_it_is_known_what_to_do(
    arguments: tuple[str, ...], threshold: int
) -> None:
    tell = "lambda: sys.stderr.write(f'{gc.isenabled()} {gc.get_threshold()[0]}')"
    done = run(f"import atexit, gc; atexit.register({tell})", *arguments)
    assert done.stderr.endswith(f"True {threshold}")


def test_while_it_is_loaded_none_is_looked_for() -> None:
    looks = "import gc; gc.callbacks.append(lambda phase, _: sys.stderr.write('looked ') if phase == 'start' else None)"
    assert "looked" not in run(looks, *SILENT).stderr
