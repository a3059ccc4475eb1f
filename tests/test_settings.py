from pathlib import Path

import pytest

from console.alerts.alert import Alert
from console.errors import SettingsError
from console.nodes.settings import NodeSettings
from console.settings import Settings, load_settings, user_file


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_absent_files_leave_the_defaults(tmp_path: Path) -> None:
    assert load_settings([tmp_path / "none.toml"]) == Settings()


def test_later_files_go_over_earlier_ones_key_by_key(tmp_path: Path) -> None:
    system = write(
        tmp_path, "system.toml", 'network = "web"\n[thresholds]\nuse_warning = 0.5\nnew_task_s = 30\n'
    )
    own = write(tmp_path, "own.toml", "[thresholds]\nnew_task_s = 90\n")
    settings = load_settings([system], own)
    assert (settings.network, settings.thresholds.use_warning, settings.thresholds.new_task_s) == (
        "web",
        0.5,
        90.0,
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("networc = 'a'", "unknown key networc (did you mean network?)"),
        ("[thresholds]\nuse_warnin = 1", "unknown key thresholds.use_warnin (did you mean use_warning?)"),
        ("[thresholds]\nuse_warning = 'much'", "thresholds.use_warning must be a positive number"),
        ("[thresholds]\nuse_warning = true", "thresholds.use_warning must be a positive number"),
        ("[thresholds]\nuse_warning = nan", "thresholds.use_warning must be a positive number"),
        ("[snapshot]\ndeadline_s = -1", "snapshot.deadline_s must be a positive number"),
        ("thresholds = 3", "thresholds must be a table"),
        ("network = 3", "network must be a string"),
        ("theme = 'blue'", "theme must be terminal, dark or light, not blue"),
        ("theme = true", "theme must be a string"),
        ("network = ''", "network must be a string"),
        ("[thresholds]\nuse_critical = 90", "thresholds.use_critical is a share and must be at most 1"),
        ("[thresholds]\nuse_warning = 0.95", "thresholds.use_warning is above thresholds.use_critical"),
        ("[quiet]\nunits = 'x'", "quiet.units must be a list of strings"),
        ("[quiet]\nunits = ['x', 3]", "quiet.units must be a list of strings"),
        ("[quiet]\nunits = ['']", "quiet.units must be a list of strings"),
        ("[quiet]\ndwell_s = 1000", "quiet.timeout_s is below quiet.dwell_s"),
        ("docker_unit = 'docker.socket'", "docker_unit must be the name of one service of systemd"),
        ("docker_unit = 'docker*'", "docker_unit must be the name of one service of systemd"),
        ("docker_unit = 'docker@.service'", "docker_unit must be the name of one service of systemd"),
        ("docker_unit = 'the docker'", "docker_unit must be the name of one service of systemd"),
        ("docker_unit = '/etc/docker.service'", "docker_unit must be the name of one service of systemd"),
        ("network = 2026-06-01", "network must be a string"),
        ("snapshot = [{}]", "snapshot must be a table"),
        ("[guard]\nprune = 1", "guard.prune must be true or false"),
        ("[snapshot]\npoll_s = 1e10", "snapshot.poll_s must be a positive number"),
        (f"[snapshot]\npoll_s = 1{'0' * 400}", "snapshot.poll_s must be a positive number"),
        ("[snapshot]\npoll_s = 0", "snapshot.poll_s must be a positive number"),
        ("alert = 'x'", "alert must be a list of tables: write [[alert]]"),
        ("alert = ['x']", "alert must be a list of tables: write [[alert]]"),
        ("[alert]\nat = 'warning'", "alert must be a list of tables: write [[alert]]"),
        ("[[alert]]\nwebhok = 'x'", "[[alert]] 1: unknown key webhok (did you mean webhook?)"),
        ("alrt = []", "unknown key alrt (did you mean alert?)"),
        ("[[alert]]\ncommand = '/x'", "[[alert]] 1: command must be a list of strings"),
        ("[[alert]]\ncommand = ['/x', 3]", "[[alert]] 1: command must be a list of strings"),
        ("[[alert]]\nwebhook = 3", "[[alert]] 1: webhook must be a string"),
        ("[[alert]]", "[[alert]] 1: it needs one of command and webhook."),
        ("[[alert]]\ncommand = []\nwebhook = ''", "[[alert]] 1: it needs one of command and webhook."),
        (
            "[[alert]]\ncommand = ['/x']\nwebhook = 'http://x'",
            "[[alert]] 1: it needs one of command and webhook, not both",
        ),
        ("[[alert]]\ncommand = ['x']", "command must begin with the absolute path of a program, not x"),
        ("[[alert]]\ncommand = ['/x/']", "command must begin with the absolute path of a program, not /x/"),
        ("[[alert]]\ncommand = ['']", "command must begin with the absolute path of a program"),
        (
            "[[alert]]\ncommand = ['/x']\nformat = 'slack'",
            "[[alert]] 1: format is for a webhook; a command gets JSON",
        ),
        (
            "[[alert]]\nwebhook = 'http://x'\nat = 'crit'",
            "[[alert]] 1: at must be warning or critical, not crit (did you mean critical?)",
        ),
        (
            "[[alert]]\nwebhook = 'http://x'\nformat = 'slak'",
            "format must be json, slack, ntfy or matrix, not slak (did you mean slack?)",
        ),
        (
            "[[alert]]\nwebhook = 'http://x'\nname = \"\\u001b[2J\"",
            "name must be letters, digits, dots, dashes and underscores, not \\x1b[2J",
        ),
        (
            "[[alert]]\ncommand = ['/a/x']\n[[alert]]\ncommand = ['/b/x']",
            "[[alert]] 1 and 2 are both called x: give them names",
        ),
        (
            "[[alert]]\ncommand = ['/a']\n[[alert]]\nfoo = 1\nwebhook = 'http://x'",
            "[[alert]] 2: unknown key foo.",
        ),
        ("node = 3", "node must be a list of tables: write [[node]]"),
        ("node = ['a']", "node must be a list of tables: write [[node]]"),
        ("[node]\nname = 'a'", "node must be a list of tables: write [[node]]"),
        ("[[node]]\nname = 'a'\nhots = 'tcp://b:1'", "[[node]] 1: unknown key hots (did you mean host?)"),
        ("[[node]]\nhost = 'tcp://b:1'", "[[node]] 1: name is missing"),
        ("[[node]]\nname = 3", "[[node]] 1: name must be a string"),
        ("[[node]]\nname = 'a'\nhost = ['x']", "[[node]] 1: host must be a string"),
        ("[[node]]\nname = 'a'", "[[node]] 1: it needs one of host and context"),
        (
            "[[node]]\nname = 'a'\nhost = 'unix:///x'\ncontext = 'y'",
            "it needs one of host and context, not both",
        ),
        ("[[node]]\nname = 'a b'\ncontext = 'y'", "[[node]] 1: name must be letters"),
        ("[[node]]\nname = ''\ncontext = 'y'", "[[node]] 1: name is missing"),
        (
            "[[node]]\nname = 'a'\ncontext = 'y'\n[[node]]\nname = 'a'\ncontext = 'z'",
            "[[node]] 1 and 2 are both called a",
        ),
        (
            "[[node]]\nname = 'a'\nhost = 'http://b'",
            "host must be ssh://[user@]host, tcp://host:port or unix:///path, not http://b",
        ),
        (
            "[[node]]\nname = 'a'\nhost = 'ssh://-oProxyCommand'",
            "host must be written as ssh://[user@]host[:port]",
        ),
        ("[[node]]\nname = 'a'\nhost = 'ssh://b:99999'", "host must be written as ssh://[user@]host[:port]"),
        (
            "[[node]]\nname = 'a'\nhost = 'tcp://b:1'\njournal = 'x'",
            "journal must be ssh://[user@]host, an absolute path or none, not x",
        ),
        ("network = ", "cannot be read"),
        (f"network = {'[' * 5000}", "cannot be read: it is nested too deeply."),
        (f"docker_unit = {'9' * 5000}", "cannot be read: "),
        ('"\x1b[2Jx" = 1', "cannot be read"),
        ('"\\u001b[2Jx" = 1', "unknown key \\x1b[2Jx"),
    ],
)
def test_what_is_wrong_is_named_with_its_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, "config.toml", text)
    with pytest.raises(SettingsError) as raised:
        load_settings([path])
    assert said in raised.value.sentence
    assert "config.toml" in raised.value.sentence
    assert raised.value.sentence.isprintable()


def test_lists_of_names_replace_the_list_before_them(tmp_path: Path) -> None:
    path = write(tmp_path, "config.toml", '[quiet]\nstacks = ["traefik", "warm-*"]\ndeploy_tools = []\n')
    quiet = load_settings([path]).quiet
    assert (quiet.stacks, quiet.deploy_tools, quiet.units) == (("traefik", "warm-*"), (), ())


@pytest.mark.parametrize(
    ("written", "unit"),
    [
        ("docker", "docker.service"),
        ("docker.service", "docker.service"),
        # A bare name may hold dots.
        ("snap.docker.dockerd", "snap.docker.dockerd.service"),
        ("docker@one", "docker@one.service"),
    ],
)
def test_the_docker_unit_has_one_name_wherever_it_comes_from(tmp_path: Path, written: str, unit: str) -> None:
    path = write(tmp_path, "config.toml", f'docker_unit = "{written}"\n')
    assert load_settings([path]).docker_unit == unit
    assert Settings(docker_unit=written).docker_unit == unit


def test_units_that_must_be_quiet_have_their_full_names_too(tmp_path: Path) -> None:
    path = write(
        tmp_path, "config.toml", '[quiet]\nunits = ["deploy", "a.mount", "deploy-*"]\ntimers = ["tidy"]\n'
    )
    quiet = load_settings([path]).quiet
    assert (quiet.units, quiet.timers) == (
        ("deploy.service", "a.mount", "deploy-*"),
        ("tidy.timer",),
    )


def test_other_nodes_are_a_list_of_tables_which_a_later_file_replaces(tmp_path: Path) -> None:
    system = write(
        tmp_path,
        "system.toml",
        "[[node]]\nname = 'a'\nhost = 'ssh://ops@a'\n[[node]]\nname = 'b'\ncontext = 'b'\n",
    )
    other = write(tmp_path, "other.toml", "network = 'web'\n")
    own = write(tmp_path, "own.toml", "[[node]]\nname = 'c'\nhost = 'unix:///c.sock'\njournal = 'none'\n")
    nodes = (NodeSettings("a", "ssh://ops@a"), NodeSettings("b", context="b"))
    assert load_settings([system, other]).node == nodes
    assert load_settings([system, own]).node == (NodeSettings("c", "unix:///c.sock", journal="none"),)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "config.toml", "a = 1\nb = 2\n[snapshot]\nc = 3\n")
    with pytest.raises(SettingsError, match=r"unknown key a.*unknown key b.*unknown key snapshot\.c"):
        load_settings([path])


def test_of_very_many_problems_the_first_are_told(tmp_path: Path) -> None:
    path = write(tmp_path, "config.toml", "".join(f"k{number} = 1\n" for number in range(2000)))
    with pytest.raises(SettingsError, match=r"unknown key k9; and 1990 more\.$"):
        load_settings([path])


def test_a_file_that_is_no_settings_file_by_its_size_is_not_read_whole(tmp_path: Path) -> None:
    path = write(tmp_path, "config.toml", "# x\n" * 300_000)
    with pytest.raises(SettingsError, match="it is larger than 1 MB"):
        load_settings([path])


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b'\xef\xbb\xbfnetwork = "web"\n')
    assert load_settings([path]).network == "web"


def test_what_is_right_beside_a_problem_is_checked_too(tmp_path: Path) -> None:
    system = write(tmp_path, "system.toml", "[quiet]\ntimeout_s = 2000\ndwell_s = 1500\n")
    text = "[quiet]\nunits = ['', 3]\ntimeout_s = 'x'\n[thresholds]\nuse_warning = 0.95\n"
    own = write(tmp_path, "own.toml", text)
    with pytest.raises(SettingsError) as raised:
        load_settings([system, own])
    # The list is named once, and the time that cannot be read leaves the one of the file before.
    assert raised.value.sentence == (
        f"{own}: quiet.units must be a list of strings; quiet.timeout_s must be a positive number; "
        "thresholds.use_warning is above thresholds.use_critical."
    )


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="There is no settings file"):
        load_settings([], tmp_path / "none.toml")


def test_a_users_file_follows_the_environment() -> None:
    assert user_file({"HOME": "/home/u"}) == Path("/home/u/.config/vipconsole/config.toml")
    assert user_file({"XDG_CONFIG_HOME": "/x", "HOME": "/home/u"}) == Path("/x/vipconsole/config.toml")


@pytest.mark.parametrize(
    "address",
    [
        "ftp://user:secret@host/",
        "secret",
        "http://",
        "https:///secret",
        "http://host:99999/secret",
        "http://host:secret/",
        "http://host/a secret",
        "http://host/\\u0000secret",
        "http://[secret/",
        "http://a..b/secret",
    ],
)
def test_a_webhook_that_is_none_is_refused_without_being_told(tmp_path: Path, address: str) -> None:
    path = write(tmp_path, "config.toml", f'[[alert]]\nwebhook = "{address}"\n')
    with pytest.raises(SettingsError) as raised:
        load_settings([path])
    assert raised.value.sentence == f"{path}: [[alert]] 1: webhook must be an http or https address."


def test_alerts_are_those_of_the_last_file_that_has_any(tmp_path: Path) -> None:
    system = write(
        tmp_path,
        "system.toml",
        '[[alert]]\nname = "old"\ncommand = ["/bin/old"]\n',
    )
    text = (
        '[[alert]]\ncommand = ["/opt/notify", "--now", ""]\n'
        '[[alert]]\nwebhook = "https://user:secret@chat.test/hook"\nformat = "slack"\nat = "warning"\n'
    )
    own = write(tmp_path, "own.toml", text)
    last = write(tmp_path, "last.toml", 'network = "web"\n')
    assert load_settings([system]).alert == (Alert("old", ("/bin/old",)),)
    settings = load_settings([system, own, last])
    assert settings.alert == (
        Alert(command=("/opt/notify", "--now", "")),
        Alert(webhook="https://user:secret@chat.test/hook", format="slack", at="warning"),
    )
    assert [alert.title for alert in settings.alert] == ["notify", "chat.test"]
    assert "secret" not in repr(settings)
