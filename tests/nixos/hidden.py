"""Nix files in which a command that creates the overlay does not stand as it is: it is understood, or the file is refused.

`PLAIN` stands beside each: it must not be edited as if it were the only one.
"""

from tests.nixos.cases import LIST, NEW, SHELL, A, Case, unit

PLAIN = "docker network create -d overlay --attachable proxy"
COMMAND = f"docker network create -d overlay {NEW}proxy"


def execute(command: str) -> str:
    """Return a module with a unit that runs one command line."""
    return f'{{ pkgs, ... }}:\n{{\n  systemd.services.s.serviceConfig.ExecStart =\n    "{command}";\n}}\n'


_LINES = (
    # systemd's prefixes, alone and together
    *(
        f"{prefix}${{pkgs.docker}}/bin/{COMMAND}"
        for prefix in ("-", "+", "!", "!!", "@", ":", "-@", "@-", "+:-", "-!!")
    ),
    *(
        f"{prefix}${{pkgs.bash}}/bin/bash -c '{COMMAND}'"
        for prefix in ("-", "+", "!", "!!", "@", ":", "-:", "@-!!")
    ),
    f"{COMMAND}",
    # a shell that is given its script
    f'${{pkgs.bash}}/bin/bash -c \\"{COMMAND}\\"',
    f'${{pkgs.bash}}/bin/bash -lc \\"{COMMAND} || true\\"',
    f"${{pkgs.runtimeShell}} -c '{COMMAND}'",
    f"@${{pkgs.bash}}/bin/bash start -euc '{COMMAND}'",
    f"/bin/sh -c 'eval \\\"{COMMAND}\\\"'",
    f"sh -c \\\"bash -c '{COMMAND}'\\\"",
    f"env X=1 sh -c '{COMMAND}'",
    f"su -c '{COMMAND}' root",
    f"runuser -u root --command '{COMMAND}'",
    f"systemd-run --wait sh -c '{COMMAND}'",
    f'timeout 30 bash -c \\"{COMMAND}\\"',
    f"-timeout 30 {COMMAND}",
    f"+systemd-run --wait {COMMAND}",
    f"flock /run/x -c '{COMMAND}'",
)
_SCRIPTS = (
    f'eval "{COMMAND}"',
    f"eval '{COMMAND}'",
    f"eval {COMMAND}",
    f"eval docker network 'create -d overlay {NEW}proxy'",
    f'eval "docker network create -d overlay {NEW}\\"proxy\\""',
    f'bash -c "docker network create -d overlay {NEW}\\"proxy\\" || true"',
    f'bash -c "bash -c \\"{COMMAND}\\""',
    f"bash -c 'docker network create '\"-d overlay {NEW}proxy\"",
    f"bash <<'EOF'\n{COMMAND}\nEOF",
    f"sudo sh -e <<-EOF\n\t{COMMAND}\nEOF",
    f"bash <<< '{COMMAND}'",
    f"trap '{COMMAND}' EXIT",
    f"exec {COMMAND}",
    f"xargs -r {COMMAND}",
    f'su - root -c "{COMMAND}"',
    f"cat <<< x | xargs -I@ sh -c '{COMMAND}'",
    f"nix-shell -p docker --run '{COMMAND}'",
)
_MORE = (
    '{ x = [ "-${pkgs.docker}/bin/docker" "network" "create" "-d" "overlay" %s"proxy" ]; }\n',
    '{ x = [ "bash" "-c" "docker network create -d overlay %sproxy" ]; }\n',
    "{ text = ''\n  [Service]\n  ExecStartPre=-/bin/docker network create -d overlay %sproxy\n''; }\n",
    "{ text = ''\n  [Service]\n  ExecStart=+/bin/sh -c 'docker network create -d overlay %sproxy'\n''; }\n",
)


def _line_of_command(text: str) -> int:
    return text[: text.index(NEW)].count("\n") + 1


def _understood(name: str, text: str, inserted: str = SHELL) -> Case:
    return Case(f"understood: {name}", text, A, (_line_of_command(text),), inserted=inserted)


UNDERSTOOD = (
    *(_understood(each, execute(each)) for each in _LINES),
    *(_understood(each, unit(each)) for each in _SCRIPTS),
    *(
        _understood(each, "{ pkgs ? 1 }: " + each % NEW, LIST if '"create"' in each else SHELL)
        for each in _MORE
    ),
)
"""Each is a file of its own that can be edited."""

_REFUSED_SCRIPTS = (
    'CMD="docker network create -d overlay proxy"; $CMD',
    "alias dnc='docker network create'\ndnc -d overlay proxy",
    "create='network create'; docker $create -d overlay proxy",
    "args=(network create -d overlay proxy)\ndocker \"''${args[@]}\"",
    'set -- network create -d overlay proxy; docker "$@"',
    'd() { docker "$@"; }\nd network create -d overlay proxy',
    'log() { "$@"; }\nlog docker network create -d overlay proxy',
    "ssh other 'docker network create -d overlay proxy'",
    "watch 'docker network create -d overlay proxy'",
    "retry 'docker network create -d overlay proxy'",
    'retry "docker network create -d overlay $NET"',
    "echo docker network create -d overlay proxy | sh",
    "echo docker network create -d overlay proxy >> /run/start",
    "$(echo docker network create -d overlay proxy)",
    "printf '%s\\n' 'docker network create -d overlay proxy' | sudo bash",
    "cat <<EOF | bash\ndocker network create -d overlay proxy\nEOF",
    "cat > /run/start <<EOF\ndocker network create -d overlay proxy\nEOF",
    "tee /run/start <<EOF >/dev/null\ndocker network create -d overlay proxy\nEOF",
    "systemd-run --unit log docker network create -d overlay proxy",
    'python3 -c \'import subprocess; subprocess.run(["docker", "network", "create", "-d", "overlay", "proxy"])\'',
    'curl --unix-socket /run/docker.sock http://d/networks/create -d \'{"Name":"proxy","Driver":"overlay"}\'',
    "for s in 'network create -d overlay proxy'; do docker $s; done",
)
_REFUSED_FILES = (
    '{ x = [ "network" "create" "-d" "overlay" "proxy" ]; }\n',
    '{ x = "docker network " + "create -d overlay proxy"; }\n',
    '{ x = [ "docker" "network" ] ++ [ "create" "-d" "overlay" "proxy" ]; }\n',
    '{ x = "docker " + "network create -d overlay proxy"; }\n',
    '{ x = "bash -c " + "\'docker network create -d overlay proxy\'"; }\n',
    '{ x = map (n: n) [ "docker" "network create -d overlay proxy" ]; }\n',
)


def _beside(text: str) -> str:
    return text.rstrip().removesuffix("}") + f'  plain = "{PLAIN}";\n}}\n'


REFUSED = (
    *(_beside(unit(each)) for each in _REFUSED_SCRIPTS),
    *(_beside(each) for each in _REFUSED_FILES),
)
"""Files with a second command, in a way that is not understood, before the plain one."""

HARMLESS = (
    "wrapper 'docker network create -d overlay monitoring'",
    "wrapper 'docker network create -d bridge proxy'",
    "systemctl start docker-network-create.service",
    "echo 'network create failed for proxy' >&2",
    "echo 'docker network create -d overlay proxy' | systemd-cat",
    "grep -c 'docker network create -d overlay proxy' /etc/hosts",
    "${pkgs.podman}/bin/podman network create -d overlay proxy",
    "hcloud --debug network create proxy",
    "docker network ls | grep -q proxy || docker network inspect proxy",
    "# retry 'docker network create -d overlay proxy'",
    "sh -c '# docker network create -d overlay proxy'",
)
"""Lines that create no overlay of that name, however they are run."""
