"""The Nix package and the NixOS module: they are Nix, name what the program needs, and put files where it reads them."""

import json
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

import console
from console.runbook.source import SYSTEM_FILE as RUNBOOK
from console.settings import SYSTEM_FILE

CHECKOUT = Path(__file__).parents[2]
FILES = sorted([CHECKOUT / "flake.nix", *(CHECKOUT / "nix").glob("*.nix")])

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
    types = { package = "package"; path = "path"; nullOr = type: "null or ${type}"; };
  };
  python3Packages = builtins.listToAttrs (map (name: { inherit name; value = name; }) [
    "hatchling" "docker" "pydantic" "rich" "ruamel-yaml" "textual" "tree-sitter" "aiohttp" "systemd-python"
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
      enable = true; package = "p"; settings = { nixos.flake = ".#host"; }; runbook = "/r.yaml";
    }; }"""
    config = evaluated(f"(module {services}).config")
    files = config["environment"]["etc"]
    assert {f"/etc/{each}" for each in files} == {str(SYSTEM_FILE), str(RUNBOOK)}
    assert json.loads(files["vipconsole/config.toml"]["source"]) == {"nixos": {"flake": ".#host"}}
    assert files["vipconsole/runbook.yaml"]["source"] == "/r.yaml"
    assert config["environment"]["systemPackages"] == ["p", "git"]


def test_the_module_does_nothing_unless_it_is_enabled() -> None:
    assert evaluated("(module { vipconsole = { enable = false; }; }).config") is None
    options = evaluated("builtins.attrNames (module { vipconsole = { }; }).options.services.vipconsole")
    assert options == ["enable", "package", "runbook", "settings"]
