"""What a recorder serves, over a real socket."""

import socket
from argparse import ArgumentTypeError
from dataclasses import replace
from pathlib import Path

import pytest

import screens.cli.exporter
from console.alerts.values import AlertState
from console.errors import HostError, Unknown
from console.monitor.values import MonitorState
from console.storage.record import FILE
from screens.cli.exporter import Exporter
from screens.cli.service_arguments import Address, listen_address
from tests.monitoring.exporting import exporting, fresh, full_state, page, scrape
from tests.support.monitors import HandClock
from tests.support.swarms import NOW

AWAY = Unknown("dockerd does not answer.")
SWARM = (
    "vipconsole_network_addresses",
    "vipconsole_network_addresses_exact",
    "vipconsole_network_leaked_addresses",
    "vipconsole_network_full_in_seconds",
    "vipconsole_services_waiting",
    "vipconsole_tasks_stuck_new",
    "vipconsole_journal_lines",
    "vipconsole_snapshot_duration_seconds",
)


async def test_a_fresh_state_is_served_whole(tmp_path: Path) -> None:
    clock = HandClock(NOW)
    async with exporting(tmp_path, clock) as listener:
        await listener.take(fresh(full_state(), clock))
        clock.advance(30)
        found = await scrape(listener)
    assert set(SWARM) <= set(found)
    value = {name: each[0].value for name, each in found.items() if len(each) == 1}
    assert value["vipconsole_up"] == 1
    assert value["vipconsole_snapshot_age_seconds"] == 30
    assert value["vipconsole_snapshot_timestamp_seconds"] == NOW.timestamp()
    assert value["vipconsole_network_full_in_seconds"] == 48 * 3600
    assert value["vipconsole_recorder_start_timestamp_seconds"] == NOW.timestamp()
    assert value["vipconsole_recorder_watching_since_timestamp_seconds"] == NOW.timestamp()
    assert value["vipconsole_recorder_events"] == 1
    assert value["vipconsole_alert_failing"] == 1
    assert value["vipconsole_alert_waiting"] == 1
    assert value["vipconsole_alert_delivered_total"] == 5
    assert value["vipconsole_alert_failures_total"] == 3
    assert value["vipconsole_alert_lost_total"] == 2
    assert found["vipconsole_network_full_in_seconds"][0].labels == {"network": "proxy"}


async def test_of_an_engine_that_is_away_nothing_old_is_shown_as_fresh(tmp_path: Path) -> None:
    clock = HandClock(NOW)
    async with exporting(tmp_path, clock) as listener:
        state = fresh(full_state(), clock)
        await listener.take(state)
        clock.advance(100)
        away = replace(state.snapshot, failure=AWAY, failing_since_s=clock.monotonic())
        await listener.take(replace(state, snapshot=away))
        found = await scrape(listener)
        assert not set(SWARM) & set(found)
        assert found["vipconsole_up"][0].value == 0
        assert found["vipconsole_snapshot_age_seconds"][0].value == 100
        assert found["vipconsole_severity"][0].value == 3
        assert "vipconsole_recorder_watching_since_timestamp_seconds" not in found
        clock.advance(50)
        await listener.take(fresh(state, clock))
        found = await scrape(listener)
        assert found["vipconsole_up"][0].value == 1
        watching = found["vipconsole_recorder_watching_since_timestamp_seconds"][0].value
        assert watching == NOW.timestamp() + 150


async def test_a_recorder_that_hangs_shows_nothing_old_either(tmp_path: Path) -> None:
    clock = HandClock(NOW)
    async with exporting(tmp_path, clock) as listener:
        await listener.take(fresh(full_state(), clock))
        clock.advance(299)
        assert (await scrape(listener))["vipconsole_up"][0].value == 1
        clock.advance(2)
        found = await scrape(listener)
        assert found["vipconsole_up"][0].value == 0
        assert not set(SWARM) & set(found)
        # Where pauses are long, so is what counts as fresh.
        await listener.take(replace(fresh(full_state(), clock), poll_s=120.0))
        clock.advance(500)
        assert (await scrape(listener))["vipconsole_up"][0].value == 1
        clock.advance(200)
        assert (await scrape(listener))["vipconsole_up"][0].value == 0


async def test_before_the_first_state_it_is_not_up(tmp_path: Path) -> None:
    async with exporting(tmp_path) as listener:
        found = await scrape(listener)
        await listener.take(MonitorState())
        again = await scrape(listener)
    assert found["vipconsole_up"][0].value == again["vipconsole_up"][0].value == 0
    assert "vipconsole_snapshot_age_seconds" not in {**found, **again}
    assert "vipconsole_severity" not in found


async def test_a_record_that_cannot_be_read_has_no_number_of_events(tmp_path: Path) -> None:
    clock = HandClock(NOW)
    async with exporting(tmp_path, clock, AlertState()) as listener:
        (tmp_path / FILE).write_text("damaged")
        await listener.take(fresh(full_state(), clock))
        found = await scrape(listener)
    assert "vipconsole_recorder_events" not in found
    assert found["vipconsole_alert_failing"][0].value == 0


async def test_names_from_outside_stay_in_their_labels(tmp_path: Path) -> None:
    clock = HandClock(NOW)
    name = 'a"} 7\\nvipconsole_up 1\\'
    async with exporting(tmp_path, clock) as listener:
        await listener.take(fresh(full_state(name), clock))
        found = await scrape(listener)
    assert name in {sample.labels["network"] for sample in found["vipconsole_network_addresses"]}
    assert len(found["vipconsole_up"]) == 1


def test_callers_that_say_nothing_hold_up_only_their_own_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screens.cli.exporter, "REQUESTS", 2)
    exporter = Exporter(Address("127.0.0.1", 0), list)
    try:
        place = ("127.0.0.1", exporter.address.port)
        with (
            socket.create_connection(place, 60),
            socket.create_connection(place, 60),
            # Both places are taken: any other is turned away at once.
            socket.create_connection(place, 60) as third,
        ):
            third.settimeout(60)
            assert third.recv(1) == b""
        while True:
            with socket.create_connection(place, 60) as caller:
                caller.settimeout(60)
                # It may be turned away as long as the others have not been noticed to be gone.
                try:
                    caller.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
                    if caller.recv(12) == b"HTTP/1.0 200":
                        break
                except ConnectionError:
                    continue
    finally:
        exporter.close()


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(HostError, match=rf"Cannot listen on 127.0.0.1:{port}: Address already in use"):
            Exporter(Address("127.0.0.1", port), list)
    with pytest.raises(HostError, match=r"Cannot listen on nowhere\.invalid:1: "):
        Exporter(Address("nowhere.invalid", 1), list)


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_it_listens_on_ipv6_too() -> None:
    exporter = Exporter(listen_address("[::1]:0"), list)
    try:
        assert str(exporter.address).startswith("[::1]:")
        page(exporter.address)
    finally:
        exporter.close()


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:9798", "127.0.0.1", 9798), ("[::1]:1", "::1", 1), ("manager-1.lan:0", "manager-1.lan", 0)],
)
def test_addresses_are_read_and_written_the_same(text: str, host: str, port: int) -> None:
    assert listen_address(text) == Address(host, port)
    assert str(listen_address(text)) == text


@pytest.mark.parametrize(
    "text", ["", "9798", ":9798", "::1:9798", "[::1]", "host:", "host:65536", "a b:1", "host:-1", "[::1:1"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is not HOST:PORT"):
        listen_address(text)
