from console.host.streaming import Program, run_streaming


async def test_results_and_talk_can_have_listeners_of_their_own() -> None:
    printer: list[bytes] = []
    results: list[bytes] = []

    async def receive(line: bytes) -> None:
        printer.append(line)

    async def take(line: bytes) -> None:
        results.append(line)

    script = "echo one >&2; echo result; echo two >&2; exit 3"
    assert await run_streaming(Program(("sh", "-c", script)), 60, receive, take) == 3
    assert (printer, results) == ([b"one", b"two"], [b"result"])
    assert await run_streaming(Program(("sh", "-c", script)), 60, receive) == 3
    assert printer[2:] == [b"one", b"result", b"two"]
