# A NixOS machine with Docker, a swarm of one manager and the module, as an operator has it.
{
  name = "vipconsole";

  nodes.machine = {
    imports = [ ./module.nix ];
    virtualisation.docker.enable = true;
    # A swarm refuses to live with it.
    virtualisation.docker.liveRestore = false;
    virtualisation.memorySize = 2048;
    services.vipconsole = {
      enable = true;
      settings.network = "proxy";
      record.enable = true;
      guard.enable = true;
      alerts = [
        {
          name = "log";
          command = [
            "/run/current-system/sw/bin/logger"
            "-t"
            "vipconsole-alert"
          ];
        }
      ];
    };
  };

  testScript = ''
    import json

    machine.wait_for_unit("docker.service")
    machine.succeed("docker swarm init --advertise-addr 127.0.0.1")
    machine.succeed("docker network create --driver overlay --attachable --subnet 10.0.1.0/24 proxy")
    machine.wait_for_unit("vipconsole-record.service")

    report = json.loads(machine.succeed("vipconsole glance --json"))
    assert [network["name"] for network in report["networks"]] == ["proxy", "ingress"], report

    code, text = machine.execute("vipconsole doctor --json")
    examinations = json.loads(text)["examinations"]
    assert not [each for each in examinations if each["severity"] == "critical"], text

    machine.succeed("systemctl start vipconsole-guard.service")
    machine.succeed("vipconsole alert --test")
    machine.wait_until_succeeds("journalctl -t vipconsole-alert | grep -q test")
    machine.succeed("vipconsole config show | grep -q '^network = \"proxy\"  # /etc/vipconsole/config.toml'")
    machine.succeed("man -w vipconsole")
  '';
}
