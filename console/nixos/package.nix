{ lib, python3Packages }:

let
  inherit (builtins) elemAt match readFile;
  source = ../../.;
in
python3Packages.buildPythonApplication {
  pname = "vipconsole";
  version = elemAt (match ".*__version__ = \"([^\"]+)\".*" (readFile (source + "/console/__init__.py"))) 0;
  pyproject = true;

  src = lib.fileset.toSource {
    root = source;
    fileset = lib.fileset.unions [
      (source + "/console")
      (source + "/screens")
      (source + "/runbook.yaml")
      # The wheel brings the manual page and the completions.
      (source + "/docs/vipconsole.1")
      (source + "/docs/completion")
      (source + "/pyproject.toml")
      (source + "/README.md")
      (source + "/LICENSE")
    ];
  };

  build-system = [ python3Packages.hatchling ];

  dependencies = [
    python3Packages.argcomplete
    python3Packages.docker
    python3Packages.prometheus-client
    python3Packages.pydantic
    python3Packages.rich
    python3Packages.ruamel-yaml
    python3Packages.textual
    python3Packages.tree-sitter
    python3Packages.tree-sitter-grammars.tree-sitter-bash
    python3Packages.tree-sitter-grammars.tree-sitter-nix
    # for --demo
    python3Packages.aiohttp
    # reads the journal without a process; it had another name until NixOS 25.05
    (python3Packages.systemd-python or python3Packages.systemd)
  ];
  # A stable NixOS has other versions than the ones that are tested with.
  pythonRelaxDeps = true;

  # The tests start engines of their own, as root.
  doCheck = false;
  pythonImportsCheck = [
    "console"
    "screens"
  ];

  meta = {
    description = "Who holds every address of a Docker Swarm overlay, which leaked, and whether the next deploy will hang";
    license = lib.licenses.mit;
    mainProgram = "vipconsole";
    platforms = lib.platforms.linux;
  };
}
