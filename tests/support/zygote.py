"""A process that has loaded the program, and forks one that runs it: what a start costs is paid once, not a thousand times.

Run as a script, with nothing of the tests loaded. A request is a JSON object in one message, with the streams of the new
process and a pipe for why it could not begin (or, for `another` zygote, its socket); the answer is the number of that
process. It is a child of the process that started the zygote, and is waited for, signalled and killed there.

A forked program has what one that was started has: environment, folder, streams, arguments (also in /proc), session and
terminal, namespaces, signals and exit code of its own. Modules of the program that take their paths when they are loaded have been loaded
for one root of the host: a program that chooses another one is started by `exec` instead, before it has done anything.
"""

import atexit
import ctypes
import gc
import importlib
import io
import json
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

LIBRARIES = (
    *("aiohttp.web", "asyncio", "docker", "pydantic", "rich.console", "rich.table", "ruamel.yaml", "sqlite3"),
    *("console.causes.registry", "console.journal.signatures", "console.simulator.server"),
    *("console.simulator.scenarios", "console.swarm.parse", "screens.cli.arguments"),
)
"""What has no path of the host: loaded once for all roots."""
DEMO = ("screens.cli.demo", "console.simulator.demo")
ROOT = "VIPCONSOLE_ROOT"
MOVED = "its number is "
"""So begins what a forked process tells when another one takes its place."""
SYS_CLONE = {"x86_64": 56, "aarch64": 220}
"""The number of the system call, by machine."""
_CLONE_PARENT, _CLONE_NEWNS = 0x8000, 0x0002_0000
NAMESPACES = {"n": "net", "u": "uts", "i": "ipc", "C": "cgroup", "p": "pid", "m": "mnt"}
"""By the letters of nsenter(1), in the order in which they are entered."""
_MS_BIND, _MS_REC, _MS_PRIVATE = 1 << 12, 1 << 14, 1 << 18
_PR_SET_NAME, _PR_SET_MM, _PR_SET_MM_ARG_END = 15, 35, 9
_PR_CAPBSET_DROP, _CAPABILITY_VERSION = 24, 0x2008_0522
_TIOCSCTTY = 0x540E
_MASK = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that wait until a forked process is a program. A zygote ends when its socket closes."""
_BROKEN_OUTPUT = 120
"""Python's own exit code when its output cannot be flushed at the end."""
_LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> NoReturn:
    """Serve the socket whose descriptor is the first argument."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _MASK)
    # As the installed program finds it there.
    sys.path[0] = str(Path(sys.executable).parent)
    for name in LIBRARIES:
        importlib.import_module(name)
    if importlib.import_module("console.host.root")._used:
        raise RuntimeError("a module that is loaded for every root has taken a path of one")
    serve(socket.socket(fileno=int(sys.argv[1])), None)


def serve(door: socket.socket, root: str | None) -> NoReturn:
    """Answer requests until the socket closes. With a root, the program has been loaded for it."""
    gc.collect()
    gc.freeze()
    while True:
        message, descriptors, _, _ = socket.recv_fds(door, 1 << 20, 4)
        if not message:
            os._exit(0)
        request = json.loads(message)
        pid = clone()
        if pid == 0:
            door.close()
            if "another" in request:
                load(request["another"])
                serve(socket.socket(fileno=descriptors[0]), request["another"])
            try:
                become(request, descriptors)
            except OSError as error:
                os.write(3, f"{error}\n".encode())
                os._exit(255)
            os.close(3)
            run(request, root)
        for descriptor in descriptors:
            os.close(descriptor)
        door.send(str(pid).encode())


def clone() -> int:
    """Fork a process whose parent is that of this one; return its number, and 0 in it. Raises OSError."""
    ctypes.pythonapi.PyOS_BeforeFork()
    number = SYS_CLONE[os.uname().machine]
    pid = int(ctypes.pythonapi.syscall(number, _CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0))
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
    else:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError("clone")
    return pid


def load(root: str) -> None:
    """Load every command of the program for one root of the host."""
    os.environ[ROOT] = root
    commands = importlib.import_module("screens.cli.main").COMMANDS
    modules = {where.partition(":")[0] for where in commands.values()}
    for name in (*DEMO, *(f"screens.cli.commands.{module}" for module in sorted(modules))):
        importlib.import_module(name)
    del os.environ[ROOT]


def become(request: dict[str, Any], descriptors: list[int]) -> None:
    """Give this process what a new one would have; the fourth descriptor closes once it has. Raises OSError."""
    # None of them is one of the first three: these are the zygote's own.
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number, inheritable=number < 3)
    os.closerange(4, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    os.chdir(request["folder"])
    # Of mounts alone, those inside may have a /proc in which this process is not.
    place = _place_of_arguments()
    if request["inside"] is not None:
        enter(*request["inside"])
    if request["is_session"]:
        os.setsid()
        _require(_LIBC.ioctl(0, _TIOCSCTTY, 0))
    if request["mounts"]:
        _require(_LIBC.unshare(_CLONE_NEWNS))
        _require(_LIBC.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None))
    for source, target in request["mounts"]:
        Path(target).mkdir(parents=True, exist_ok=True)
        _require(_LIBC.mount(source.encode(), target.encode(), None, ctypes.c_ulong(_MS_BIND), None))
    _drop(request["without"])
    sys.argv = request["arguments"]
    sys.orig_argv = [sys.executable, *sys.argv]
    _show(sys.orig_argv, *place)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        _open_stream(number, name)


def enter(init: int, letters: str) -> None:
    """Enter namespaces of a process, and with `r` its root, as nsenter(1) does. Raises OSError.

    Only what is forked from here is in a namespace of processes: its number is told, and this process ends.
    """
    kinds = [kind for letter, kind in NAMESPACES.items() if letter in letters]
    descriptors = [os.open(f"/proc/{init}/ns/{kind}", os.O_RDONLY) for kind in kinds]
    root = os.open(f"/proc/{init}/root", os.O_RDONLY) if "r" in letters else -1
    for descriptor in descriptors:
        _require(_LIBC.setns(descriptor, 0))
        os.close(descriptor)
    if root >= 0:
        os.fchdir(root)
        os.chroot(".")
        os.close(root)
    os.chdir("/")
    if "p" in letters and (pid := clone()):
        os.write(3, f"{MOVED}{pid}\n".encode())
        os._exit(0)


def run(request: dict[str, Any], root: str | None) -> NoReturn:
    """Run the program as its entry point does, and end with its exit code."""
    if root is not None:
        _keep_to(root, request)
    # What waits until now is heard by the program, and not before.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _MASK)
    code = 1
    try:
        sys.exit(importlib.import_module("screens.cli.main").main())
    except SystemExit as ending:
        code = _code_of(ending)
    except KeyboardInterrupt as error:
        sys.excepthook(KeyboardInterrupt, error, error.__traceback__)
        code = -signal.SIGINT
    except BaseException as error:  # noqa: BLE001 - Python prints whatever ends a program
        sys.excepthook(type(error), error, error.__traceback__)
    _end(code)


def _code_of(ending: SystemExit) -> int:
    if ending.code is None or isinstance(ending.code, int):
        return (ending.code or 0) & 0xFF
    sys.stderr.write(f"{ending.code}\n")
    return 1


def _end(code: int) -> NoReturn:
    """End as Python does, but for taking every module apart."""
    python: Any = threading
    python._shutdown()
    atexit._run_exitfuncs()
    # What the program left behind may have something to say about that.
    gc.collect()
    try:
        sys.stdout.flush()
    except OSError as error:
        code = _BROKEN_OUTPUT
        with suppress(OSError):
            sys.stderr.write(f"Exception ignored in: {sys.stdout!r}\n{type(error).__name__}: {error}\n")
    with suppress(OSError):
        sys.stderr.flush()
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _keep_to(root: str, request: dict[str, Any]) -> None:
    """Let the program choose the root for which it has been loaded; for another one it is started by `exec`."""
    demo: Any = importlib.import_module("screens.cli.demo")
    hosts: Any = importlib.import_module("console.simulator.host.demo_host")
    enter_throwaway = demo.enter_throwaway_demo

    def choose(folder: Path) -> None:
        if str(folder.absolute()) != root:
            _start_by_exec(request)
        os.environ[ROOT] = root

    def throwaway() -> None:
        if root != "/":
            _start_by_exec(request)
        enter_throwaway()

    hosts.choose_root = choose
    demo.enter_throwaway_demo = throwaway


def _start_by_exec(request: dict[str, Any]) -> NoReturn:
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        # Python ignores them; who starts a process gives them back.
        signal.signal(ignored, signal.SIG_DFL)
    os.execve(sys.argv[0], sys.argv, request["environment"])  # noqa: S606 - the program itself


def _open_stream(number: int, name: str) -> None:
    """Open a standard stream as Python does at its start."""
    old = getattr(sys, name)
    buffer: Any = open(number, "rb" if number == 0 else "wb", closefd=False)  # noqa: SIM115 - open to the end
    buffer.raw.name = f"<{name}>"
    stream: Any = io.TextIOWrapper(
        buffer,
        encoding=old.encoding,
        errors=old.errors,
        newline="\n",
        line_buffering=number == 2 or buffer.raw.isatty(),
    )
    stream.mode = old.mode
    setattr(sys, name, stream)
    setattr(sys, f"__{name}__", stream)


def _place_of_arguments() -> tuple[int, int]:
    figures = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    return int(figures[45]), int(figures[46])


def _show(arguments: list[str], start: int, end: int) -> None:
    """Write the arguments over those of the zygote, one of which is long for that: there `ps` and /proc read them."""
    shown = b"".join(os.fsencode(argument) + b"\0" for argument in arguments)[: end - start - 1]
    ctypes.memset(start, 0, end - start)
    ctypes.memmove(start, shown, len(shown))
    _LIBC.prctl(_PR_SET_NAME, Path(arguments[1]).name.encode(), 0, 0, 0)
    # Only root may say where they end; else empty ones follow.
    _LIBC.prctl(_PR_SET_MM, _PR_SET_MM_ARG_END, ctypes.c_ulong(start + len(shown)), 0, 0)


def _drop(capabilities: list[int]) -> None:
    """Give up capabilities, for this process and all that it starts (capabilities(7))."""
    if not capabilities:
        return
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    # Effective, permitted and inheritable ones; then the same for those from 32 on.
    held = (ctypes.c_uint32 * 6)()
    _require(_LIBC.capget(header, held))
    for number in capabilities:
        _require(_LIBC.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0))
        for kind in range(3):
            held[number // 32 * 3 + kind] &= ~(1 << number % 32)
    _require(_LIBC.capset(header, held))


def _require(returned: int) -> None:
    if returned != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main()
