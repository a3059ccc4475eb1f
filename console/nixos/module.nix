{
  config,
  lib,
  pkgs,
  ...
}:

let
  cfg = config.services.vipconsole;
  toml = pkgs.formats.toml { };
  tables =
    { example, description }:
    lib.mkOption {
      inherit description;
      type = lib.types.listOf toml.type;
      default = [ ];
      example = [ example ];
    };
  settings =
    cfg.settings
    // lib.optionalAttrs (cfg.alerts != [ ]) { alert = cfg.alerts; }
    // lib.optionalAttrs (cfg.nodes != [ ]) { node = cfg.nodes; };

  # What both services may do, and where they write.
  hardening = {
    StateDirectory = "vipconsole";
    StateDirectoryMode = "0700";
    UMask = "0077";
    ProtectSystem = "strict";
    ProtectHome = true;
    ProtectKernelTunables = true;
    ProtectKernelModules = true;
    ProtectKernelLogs = true;
    ProtectControlGroups = true;
    ProtectClock = true;
    ProtectHostname = true;
    PrivateTmp = true;
    PrivateDevices = true;
    NoNewPrivileges = true;
    RestrictAddressFamilies = "AF_UNIX AF_NETLINK AF_INET AF_INET6";
    RestrictNamespaces = true;
    RestrictRealtime = true;
    RestrictSUIDSGID = true;
    LockPersonality = true;
    MemoryDenyWriteExecute = true;
    SystemCallArchitectures = "native";
    SystemCallFilter = [
      "@system-service"
      "~@privileged @resources"
    ];
    SystemCallErrorNumber = "EPERM";
  };
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
      description = "The content of {file}`/etc/vipconsole/config.toml`.";
    };

    alerts = tables {
      example = {
        name = "ops";
        webhook = "https://chat.example.org/hooks/x";
        format = "slack";
        at = "warning";
      };
      description = "Who the recorder tells what it finds: the `[[alert]]` tables of the settings. They are readable for all users.";
    };

    nodes = tables {
      example = {
        name = "worker-1";
        host = "ssh://root@worker-1";
      };
      description = "Other nodes whose engines are asked too: the `[[node]]` tables of the settings.";
    };

    runbook = lib.mkOption {
      type = lib.types.nullOr lib.types.path;
      default = null;
      description = "The maintenance runbook of this host. If null, the shipped one.";
    };

    record = {
      enable = lib.mkEnableOption "the recorder, which keeps what happens to the swarm while no console is open";

      listen = lib.mkOption {
        type = lib.types.nullOr lib.types.str;
        default = null;
        example = "127.0.0.1:9798";
        description = "Where it serves metrics for Prometheus. If null, nowhere.";
      };
    };

    guard = {
      enable = lib.mkEnableOption "the check whether the next batch of deploys will get its addresses";

      calendar = lib.mkOption {
        type = lib.types.str;
        default = "Sun 02:00";
        description = "When it checks, in the format of {manpage}`systemd.time(7)`.";
      };

      allowRestart = lib.mkOption {
        type = lib.types.bool;
        default = false;
        description = ''
          Whether it may restart the docker unit when that gives back leaked addresses that are needed. Every container of this
          host stops and comes back.
        '';
      };

      need = lib.mkOption {
        type = lib.types.nullOr lib.types.ints.unsigned;
        default = null;
        example = 40;
        description = "How many addresses the batch takes. If null, this is not checked.";
      };
    };
  };

  config = lib.mkIf cfg.enable {
    # nixos-rebuild and the check for uncommitted changes both use git.
    environment.systemPackages = [
      cfg.package
      pkgs.git
    ];
    environment.etc = {
      "vipconsole/config.toml" = lib.mkIf (settings != { }) {
        source = toml.generate "vipconsole.toml" settings;
      };
      "vipconsole/runbook.yaml" = lib.mkIf (cfg.runbook != null) { source = cfg.runbook; };
    };

    # The same as console/guard/vipconsole-guard.service and .timer: a test compares them.
    systemd.services.vipconsole-guard = lib.mkIf cfg.guard.enable {
      description = "Look whether the next batch of deploys will get its addresses";
      documentation = [ "man:systemd.exec(5)" ];
      after = [ "docker.service" ];
      serviceConfig = hardening // {
        Type = "oneshot";
        ExecStart = lib.concatStringsSep " " (
          [ "${cfg.package}/bin/vipconsole guard" ]
          ++ lib.optional cfg.guard.allowRestart "--allow-restart"
          ++ lib.optional (cfg.guard.need != null) "--need ${toString cfg.guard.need}"
        );
        SuccessExitStatus = 1;
        TimeoutStartSec = "30min";
        RuntimeDirectory = "vipconsole";
        RuntimeDirectoryPreserve = true;
        CapabilityBoundingSet = "CAP_DAC_READ_SEARCH CAP_SYS_PTRACE";
      };
    };
    # The same as console/recorder/vipconsole-record.service.
    systemd.services.vipconsole-record = lib.mkIf cfg.record.enable {
      description = "Keep what happens to the swarm while no console is open";
      documentation = [ "man:systemd.exec(5)" ];
      after = [ "docker.service" ];
      wantedBy = [ "multi-user.target" ];
      serviceConfig = hardening // {
        Type = "exec";
        ExecStart = lib.concatStringsSep " " (
          [ "${cfg.package}/bin/vipconsole record" ]
          ++ lib.optional (cfg.record.listen != null) "--listen ${cfg.record.listen}"
        );
        Environment = "MALLOC_ARENA_MAX=1";
        Restart = "always";
        RestartSec = 2;
        TimeoutStopSec = 30;
        CapabilityBoundingSet = "CAP_DAC_READ_SEARCH";
      };
    };
    systemd.timers.vipconsole-guard = lib.mkIf cfg.guard.enable {
      description = "Look before the weekly batch of deploys";
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnCalendar = cfg.guard.calendar;
        Persistent = true;
        RandomizedDelaySec = "5min";
      };
    };
  };
}
