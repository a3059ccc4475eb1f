"""The edit of a Nix file, on files as operators write them; Nix itself checks every one of them."""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Network

import pytest

from console.errors import Declined, HostError, Unknown
from console.nixos.edit import NotNix, nix_agrees, parse_with_nix, require_only_insertion
from console.nixos.swarm_nix import Insertion, NetworkSetting, SubnetVerdict, insert, read
from tests.nixos.cases import Case, unit
from tests.nixos.hidden import HARMLESS, PLAIN, REFUSED, UNDERSTOOD
from tests.nixos.table import CASES

SUBNET = IPv4Network("10.10.0.0/16")


def read_case(data: bytes) -> NetworkSetting:
    return read(data, "proxy", SUBNET)


@pytest.fixture(params=CASES, ids=lambda each: each.id)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


def test_a_file_is_read_for_what_it_does(case: Case) -> None:
    reading = read_case(case.before)
    assert (reading.verdict, reading.lines) == (case.verdict, case.lines), reading
    assert case.says in " ".join((reading.sentence, reading.hint, *reading.notes))
    assert (reading.insertion is not None) is (case.verdict is SubnetVerdict.ABSENT)


def test_only_the_subnet_is_put_in_and_only_once(case: Case) -> None:
    reading = read_case(case.before)
    if reading.insertion is None:
        assert case.before == case.after
        return
    new = insert(case.before, reading.insertion)
    assert new == case.after
    require_only_insertion(case.before, new, reading.insertion)
    again = read_case(new)
    assert (again.verdict, again.lines) == (SubnetVerdict.PRESENT, case.lines)


@pytest.mark.process
async def test_to_nix_itself_the_edit_is_one_change_in_one_place(case: Case) -> None:
    reading = read_case(case.before)
    if reading.insertion is None:
        # Every file of the table is Nix: what is refused is not refused for being broken.
        assert await parse_with_nix(case.before)
        return
    agreed = await nix_agrees(case.before, case.after, reading.insertion)
    assert agreed == "For Nix, the two versions differ in this one place only."


def test_the_table_is_large_enough_to_mean_something() -> None:
    assert len(CASES) >= 25
    assert len({each.id for each in CASES}) == len(CASES)
    assert {each.verdict for each in CASES} == set(SubnetVerdict) - {SubnetVerdict.BROKEN}


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        ("{\n  a = ;\n}\n", 2),
        ("{\n  script = ''\n    docker network create -d overlay proxy\n}\n", 2),
        ("{ a = 1;\n", 1),
        # Commas that Nix takes nowhere.
        ("{ a, ..., }: a\n", 1),
        ("{ , }: 1\n", 1),
        ("\n{ a,, }: a\n", 2),
        ("\n{ a = [ 1, ]; }\n", 2),
        ("\n{ x = { a = 1, }; }\n", 2),
    ],
)
@pytest.mark.process
async def test_what_is_no_nix_is_left_alone(broken: str, line: int) -> None:
    reading = read_case(broken.encode())
    assert reading.verdict is SubnetVerdict.BROKEN
    assert reading.insertion is None
    assert reading.lines[0] >= line
    with pytest.raises(NotNix):
        await parse_with_nix(broken.encode())


def test_a_comma_that_is_looked_for_takes_no_time_in_long_comments() -> None:
    for piece in (b"{ a," + b" #" * 100_000 + b"\n x }: x", b"{ a, " + b"/* */ " * 50_000 + b"x }: x"):
        assert read_case(b"\n" + piece + b" }").verdict is SubnetVerdict.BROKEN


@pytest.mark.parametrize("case", UNDERSTOOD, ids=lambda each: each.id)
def test_a_command_inside_another_is_understood(case: Case) -> None:
    reading = read_case(case.before)
    assert (reading.verdict, reading.lines) == (case.verdict, case.lines), reading
    assert reading.insertion is not None
    new = insert(case.before, reading.insertion)
    assert new == case.after
    require_only_insertion(case.before, new, reading.insertion)
    assert read_case(new).verdict is SubnetVerdict.PRESENT
    # Beside the plain one it is a second candidate, never one that is left out.
    beside = case.before.rstrip().removesuffix(b"}") + b'  plain = "' + PLAIN.encode() + b'";\n}\n'
    assert read_case(beside).verdict is SubnetVerdict.SEVERAL


@pytest.mark.process
async def test_nix_reads_every_such_file() -> None:
    files = (*(case.after for case in UNDERSTOOD), *(text.encode() for text in REFUSED))
    assert await parse_with_nix(b"[\n" + b"".join(b"(pkgs: (" + each + b"))\n" for each in files) + b"]\n")


@pytest.mark.parametrize("text", REFUSED)
def test_beside_a_command_that_is_not_understood_none_is_edited(text: str) -> None:
    reading = read_case(text.encode())
    assert reading.verdict is SubnetVerdict.UNCLEAR, reading
    assert reading.insertion is None
    for line in reading.lines:
        assert f"Line {line} may create proxy, but this program does not understand how." in reading.sentence
        assert b"create" in text.encode().split(b"\n")[line - 1]


@pytest.mark.parametrize("line", HARMLESS)
def test_what_creates_no_such_overlay_keeps_nothing_from_being_edited(line: str) -> None:
    reading = read_case(unit(f"{line}\n{PLAIN}").encode())
    assert (reading.verdict, reading.lines) == (SubnetVerdict.ABSENT, (6,)), reading


def test_of_one_line_one_thing_is_said() -> None:
    for script in (
        "docker network create proxy",
        "docker network create -d bridge proxy",
        "echo docker network create proxy",
    ):
        reading = read_case(unit(script).encode())
        assert reading.verdict is SubnetVerdict.NONE
        said = " ".join((reading.sentence, reading.hint, *reading.notes))
        assert said.lower().count("line 5") == 1, said


GOOD = unit("docker network create -d overlay proxy").encode()


def insertion() -> Insertion:
    found = read_case(GOOD).insertion
    assert found is not None
    return found


@pytest.mark.parametrize(
    "spoil",
    [
        lambda new: new.replace(b"overlay", b"bridge"),
        lambda new: new.replace(b"swarm-init", b"swarm-exit"),
        lambda new: new + b"# more\n{ }",
        lambda new: new.replace(b"10.10.0.0/16", b"10.10.0.0/16 --internal"),
        lambda new: new.replace(b"--subnet 10.10.0.0/16 ", b"--subnet 10.10.0.0/16 --subnet 10.10.0.0/16 "),
        lambda new: new.replace(b"--subnet 10.10.0.0/16 proxy", b"proxy ''; x = '' --subnet 10.10.0.0/16 "),
        lambda _: GOOD,
    ],
)
@pytest.mark.process
async def test_an_edit_that_does_anything_else_is_refused_by_both_parsers(
    spoil: Callable[[bytes], bytes],
) -> None:
    new = spoil(insert(GOOD, insertion()))
    with pytest.raises(Declined):
        require_only_insertion(GOOD, new, insertion())
    with pytest.raises(Declined):
        await nix_agrees(GOOD, new, insertion())


@pytest.mark.process
async def test_nix_says_where_a_file_is_broken_and_nothing_of_the_copy() -> None:
    with pytest.raises(NotNix) as raised:
        await parse_with_nix(b"{\n  a = b;\n}\n")
    assert raised.value.sentence == "undefined variable 'b' (line 2)."


async def test_without_nix_that_is_said_and_is_no_refusal() -> None:
    async def nothing(argv: Sequence[str], _: float) -> bytes:
        raise HostError(f"The command `{argv[0]}` is not on this host.")

    agreed = await nix_agrees(GOOD, insert(GOOD, insertion()), insertion(), nothing)
    assert isinstance(agreed, Unknown)
    assert agreed.reason == "The command `nix-instantiate` is not on this host."
