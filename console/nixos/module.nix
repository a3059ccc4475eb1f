{
  config,
  lib,
  pkgs,
  ...
}:

let
  cfg = config.services.vipconsole;
  toml = pkgs.formats.toml { };
in
{
  options.services.vipconsole = {
    enable = lib.mkEnableOption "vipconsole, the console for the addresses of Docker Swarm overlays";

    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.callPackage ./package.nix { };
      defaultText = lib.literalExpression "pkgs.callPackage ./package.nix { }";
      description = "The package to use.";
    };

    settings = lib.mkOption {
      inherit (toml) type;
      default = { };
      example = {
        quiet.stacks = [
          "traefik"
          "warm-*"
        ];
        nixos.flake = ".#host";
      };
      description = "What goes into {file}`/etc/vipconsole/config.toml`.";
    };

    runbook = lib.mkOption {
      type = lib.types.nullOr lib.types.path;
      default = null;
      description = "The runbook of this host's maintenance; the shipped one where it is null.";
    };
  };

  config = lib.mkIf cfg.enable {
    # nixos-rebuild and the look at uncommitted changes both ask git.
    environment.systemPackages = [
      cfg.package
      pkgs.git
    ];
    environment.etc = {
      "vipconsole/config.toml" = lib.mkIf (cfg.settings != { }) {
        source = toml.generate "vipconsole.toml" cfg.settings;
      };
      "vipconsole/runbook.yaml" = lib.mkIf (cfg.runbook != null) { source = cfg.runbook; };
    };
  };
}
