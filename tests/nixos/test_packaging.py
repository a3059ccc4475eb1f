"""The Nix package and the NixOS module: they are Nix, name what the program needs, and put files where it reads them."""

import json
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

import console
from console.runbook.language.source import SYSTEM_FILE as RUNBOOK
from console.settings import SYSTEM_FILE, load_settings
from screens.cli.arguments import build_parser

CHECKOUT = Path(__file__).parents[2]
FILES = sorted([CHECKOUT / "flake.nix", *(CHECKOUT / "console/nixos").glob("*.nix")])
UNITS = {path.name: path for path in (CHECKOUT / "console").glob("*/vipconsole-*.*")}

# As much of nixpkgs as the files ask for: names stand for packages, and options are what they are declared with.
STUBS = """
let
  named = name: { outPath = name; };
  lib = {
    fileset = { toSource = { root, fileset }: toString root; unions = map toString; };
    licenses.mit = "MIT";
    platforms.linux = [ "linux" ];
    literalExpression = text: text;
    mkEnableOption = about: { description = about; };
    mkIf = condition: content: if condition then content else null;
    mkOption = option: option;
    inherit (builtins) concatStringsSep;
    optional = condition: each: if condition then [ each ] else [ ];
    optionalAttrs = condition: each: if condition then each else { };
    types = {
      package = "package"; path = "path"; str = "str"; bool = "bool"; ints.unsigned = "unsigned";
      nullOr = type: "null or ${type}"; listOf = type: "list of ${type}";
    };
  };
  python3Packages = builtins.listToAttrs (map (name: { inherit name; value = name; }) [
    "hatchling" "argcomplete" "docker" "prometheus-client" "pydantic" "rich" "ruamel-yaml" "textual" "tree-sitter" "aiohttp" "systemd-python"
  ]) // {
    buildPythonApplication = told: told;
    tree-sitter-grammars = { tree-sitter-bash = "tree-sitter-bash"; tree-sitter-nix = "tree-sitter-nix"; };
  };
  pkgs = {
    git = "git";
    callPackage = path: given: "vipconsole";
    formats.toml = given: { type = "toml"; generate = name: value: builtins.toJSON value; };
  };
  module = services: import @checkout@/console/nixos/module.nix { inherit lib pkgs; config = { inherit services; }; };
in
"""


def evaluated(expression: str) -> Any:
    said = subprocess.run(
        [
            "nix-instantiate",
            "--eval",
            "--strict",
            "--json",
            "-E",
            STUBS.replace("@checkout@", str(CHECKOUT)) + expression,
        ],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert said.returncode == 0, said.stderr.decode()
    return json.loads(said.stdout)


@pytest.mark.parametrize("path", FILES, ids=lambda each: each.name)
def test_every_file_is_nix(path: Path) -> None:
    said = subprocess.run(
        ["nix-instantiate", "--parse", str(path)], capture_output=True, check=False, timeout=60
    )
    assert said.returncode == 0, said.stderr.decode()


def test_the_package_has_every_dependency_and_the_version() -> None:
    package = evaluated(f"import {CHECKOUT}/console/nixos/package.nix {{ inherit lib python3Packages; }}")
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["demo"]]
    wanted += project["optional-dependencies"]["journal"]
    names = {each.split(">")[0].replace(".", "-") for each in wanted}
    assert set(package["dependencies"]) == names
    assert package["version"] == console.__version__
    assert package["meta"]["mainProgram"] in project["scripts"]


def test_the_module_puts_files_where_they_are_read() -> None:
    services = """{ vipconsole = {
      enable = true; package = "p"; settings = { nixos.flake = ".#host"; }; alerts = [ ]; nodes = [ ]; runbook = "/r.yaml"; guard.enable = false;
      record.enable = false;
    }; }"""
    config = evaluated(f"(module {services}).config")
    files = config["environment"]["etc"]
    assert {f"/etc/{each}" for each in files} == {str(SYSTEM_FILE), str(RUNBOOK)}
    assert json.loads(files["vipconsole/config.toml"]["source"]) == {"nixos": {"flake": ".#host"}}
    assert files["vipconsole/runbook.yaml"]["source"] == "/r.yaml"
    assert config["environment"]["systemPackages"] == ["p", "git"]
    assert config["systemd"] == {
        "services": {"vipconsole-guard": None, "vipconsole-record": None},
        "timers": {"vipconsole-guard": None},
    }


def test_alerts_and_nodes_of_the_module_are_tables_of_the_settings(tmp_path: Path) -> None:
    alert = {"name": "ops", "webhook": "https://chat.example/x", "at": "warning"}
    node = {"name": "b", "host": "ssh://root@b"}
    services = """{ vipconsole = {
      enable = true; package = "p"; settings = { network = "shared"; }; runbook = null; guard.enable = false;
      record.enable = false; alerts = [ { name = "ops"; webhook = "https://chat.example/x"; at = "warning"; } ];
      nodes = [ { name = "b"; host = "ssh://root@b"; } ];
    }; }"""
    files = evaluated(f"(module {services}).config")["environment"]["etc"]
    settings = json.loads(files["vipconsole/config.toml"]["source"])
    assert settings == {"network": "shared", "alert": [alert], "node": [node]}
    (tmp_path / "config.toml").write_text(
        f'network = "shared"\n[[alert]]\n{toml(alert)}\n[[node]]\n{toml(node)}\n'
    )
    assert load_settings([tmp_path / "config.toml"]).alert[0].title == "ops"


def toml(table: dict[str, str]) -> str:
    return "\n".join(f"{key} = {json.dumps(value)}" for key, value in table.items())


def systemd_of(guard: str, listen: str = "null") -> Any:
    services = f"""{{ vipconsole = {{
      enable = true; package = "/p"; settings = {{ }}; alerts = [ ]; nodes = [ ]; runbook = null; guard = {{ enable = true; {guard} }};
      record = {{ enable = true; listen = {listen}; }};
    }}; }}"""
    return evaluated(f"(module {services}).config")["systemd"]


def section(unit: str, name: str) -> dict[str, list[str]]:
    """Return a section of a shipped unit; a key that is there several times has all its values."""
    found: dict[str, list[str]] = {}
    lines = iter(UNITS[unit].read_text().splitlines())
    for line in lines:
        if line == f"[{name}]":
            break
    for line in lines:
        if line.startswith("["):
            break
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def written(options: dict[str, Any]) -> dict[str, list[str]]:
    """Return options as NixOS writes them into a unit, as far as they are used here."""
    words = {True: "yes", False: "no"}
    lists = {key: each if isinstance(each, list) else [each] for key, each in options.items()}
    return {
        key: [words[each] if isinstance(each, bool) else str(each) for each in values]
        for key, values in lists.items()
    }


def test_the_module_has_the_guard_as_it_is_shipped_for_everybody_else() -> None:
    systemd = systemd_of('calendar = "Sun 02:00"; allowRestart = false; need = null;')
    service, timer = (systemd[each]["vipconsole-guard"] for each in ("services", "timers"))
    shipped = section("vipconsole-guard.service", "Service")
    assert written(service["serviceConfig"]) == shipped | {"ExecStart": ["/p/bin/vipconsole guard"]}
    assert section("vipconsole-guard.service", "Unit") == {
        "Description": [service["description"]],
        "Documentation": service["documentation"],
        "After": service["after"],
    }
    # systemd knows more than one word for yes.
    shipped_timer = section("vipconsole-guard.timer", "Timer")
    assert written(timer["timerConfig"]) == shipped_timer | {"Persistent": ["yes"]}
    assert section("vipconsole-guard.timer", "Install") == {"WantedBy": timer["wantedBy"]}


def test_the_recorder_of_the_module_serves_metrics_where_it_is_told() -> None:
    systemd = systemd_of('calendar = "Sun 02:00"; allowRestart = false; need = null;', '"127.0.0.1:9798"')
    started = systemd["services"]["vipconsole-record"]["serviceConfig"]["ExecStart"]
    assert started == "/p/bin/vipconsole record --listen 127.0.0.1:9798"


def test_the_module_has_the_recorder_as_it_is_shipped_for_everybody_else() -> None:
    systemd = systemd_of('calendar = "Sun 02:00"; allowRestart = false; need = null;')
    service = systemd["services"]["vipconsole-record"]
    shipped = section("vipconsole-record.service", "Service")
    assert written(service["serviceConfig"]) == shipped | {"ExecStart": ["/p/bin/vipconsole record"]}
    assert section("vipconsole-record.service", "Unit") == {
        "Description": [service["description"]],
        "Documentation": service["documentation"],
        "After": service["after"],
    }
    assert section("vipconsole-record.service", "Install") == {"WantedBy": service["wantedBy"]}


def test_the_module_tells_the_guard_what_it_may_and_what_is_needed() -> None:
    systemd = systemd_of('calendar = "daily"; allowRestart = true; need = 40;')
    command = systemd["services"]["vipconsole-guard"]["serviceConfig"]["ExecStart"]
    assert command == "/p/bin/vipconsole guard --allow-restart --need 40"
    assert systemd["timers"]["vipconsole-guard"]["timerConfig"]["OnCalendar"] == "daily"
    build_parser().parse_args(command.split()[1:])


def test_the_module_does_nothing_unless_it_is_enabled() -> None:
    assert evaluated("(module { vipconsole = { enable = false; }; }).config") is None
    options = evaluated("builtins.attrNames (module { vipconsole = { }; }).options.services.vipconsole")
    assert options == ["alerts", "enable", "guard", "nodes", "package", "record", "runbook", "settings"]
