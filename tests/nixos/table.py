"""Nix files as operators write them, and what has to be read in each."""

from tests.nixos.cases import LIST, NEW, A, C, Case, N, P, S, U, unit

CASES = (
    Case("plain", unit(f"docker network create --driver overlay --attachable {NEW}proxy"), A, (5,)),
    Case(
        "guarded",
        unit(
            "set -eu\ndocker info | grep -q 'Swarm: active' || docker swarm init\n"
            f"docker network inspect proxy >/dev/null 2>&1 || docker network create -d overlay {NEW}proxy >/dev/null"
        ),
        A,
        (7,),
    ),
    Case(
        "continued over lines",
        unit(f"docker network create \\\n  --driver overlay \\\n  --attachable \\\n  {NEW}proxy || true"),
        A,
        (5,),
    ),
    Case("the name in double quotes", unit(f'docker network create -d overlay {NEW}"proxy"'), A, (5,)),
    Case("the name in single quotes", unit(f"docker network create -d overlay {NEW}'proxy'"), A, (5,)),
    Case(
        "options after the name",
        unit(f"docker network create {NEW}proxy --driver=overlay --attachable"),
        A,
        (5,),
    ),
    Case(
        "short options run together",
        unit(f"docker network create -doverlay -oencrypted= {NEW}proxy"),
        A,
        (5,),
    ),
    Case(
        "the program from the store",
        unit(f"${{pkgs.docker}}/bin/docker network create -d overlay {NEW}proxy"),
        A,
        (5,),
    ),
    Case(
        "the program from a binding",
        '{ config, ... }:\nlet docker = "${config.virtualisation.docker.package}/bin/docker"; in\n'
        f"{{ script = ''\n  ${{docker}} --host unix:///run/docker.sock network create -d overlay {NEW}proxy\n''; }}\n",
        A,
        (4,),
    ),
    Case("the program from a variable", unit(f"$DOCKER network create -d overlay {NEW}proxy"), A, (5,)),
    Case(
        "behind sudo and an assignment",
        unit(f"X=1 sudo -n docker network create -d overlay {NEW}proxy"),
        A,
        (5,),
    ),
    Case(
        "in a condition",
        unit(
            f"if ! docker network ls | grep -qw proxy; then\n  docker network create -d overlay {NEW}proxy; fi"
        ),
        A,
        (6,),
    ),
    Case(
        "in a function", unit(f"make() {{\n  docker network create -d overlay {NEW}proxy\n}}\nmake"), A, (6,)
    ),
    Case("in a substitution", unit(f'id="$(docker network create -d overlay {NEW}proxy)"'), A, (5,)),
    Case(
        "in writeShellScript",
        "{ pkgs, ... }: {\n  systemd.services.swarm-init.serviceConfig.ExecStart = pkgs.writeShellScript \"init\" ''\n"
        f"    docker network create -d overlay --attachable {NEW}proxy\n  '';\n}}\n",
        A,
        (3,),
    ),
    Case(
        "in ExecStart",
        "{ pkgs, ... }:\n{\n  systemd.services.proxy.serviceConfig.ExecStart =\n"
        f'    "-${{pkgs.docker}}/bin/docker network create -d overlay {NEW}proxy";\n}}\n',
        A,
        (4,),
    ),
    Case(
        "in ExecStart through a shell",
        "{ pkgs, ... }:\n{\n  e.ExecStart =\n"
        f"    \"${{pkgs.bash}}/bin/bash -ec 'docker network create -d overlay {NEW}proxy || true'\";\n}}\n",
        A,
        (4,),
    ),
    Case(
        "in a string with escapes",
        f'{{ x = "# say \\"hi\\"\\ndocker network create -d overlay --label \\"a=b c\\" {NEW}proxy\\n"; }}\n',
        A,
        (1,),
    ),
    Case(
        "as a list of arguments",
        '{ pkgs, lib, ... }:\n{\n  e.ExecStart = lib.escapeShellArgs [\n    "${pkgs.docker}/bin/docker" "network" "create"\n'
        f'    "--driver" "overlay" # not a bridge\n    {NEW}"proxy"\n  ];\n}}\n',
        A,
        (4,),
        inserted=LIST,
    ),
    Case(
        "the name from a binding",
        f"let net = \"proxy\"; in {{\n  script = ''\n    docker network create -d overlay {NEW}${{net}}\n  '';\n}}\n",
        A,
        (3,),
    ),
    Case(
        "beside comments that look alike",
        "# docker network create -d overlay proxy\n"
        + unit(
            "# docker network create -d overlay proxy\n"
            f"docker network create -d overlay {NEW}proxy # docker network create -d overlay proxy\n"
            "/* not nix */ true"
        )
        + "/* docker network create -d overlay proxy */\n",
        A,
        (7,),
    ),
    Case(
        "beside networks that are others",
        unit(
            "docker network create -d overlay proxy-net\ndocker network create -d overlay my.proxy\n"
            f"docker network create -d overlay {NEW}proxy\ndocker network create -d overlay monitoring\n"
            'docker network create -d overlay "pre-$x"'
        ),
        A,
        (7,),
    ),
    Case(
        "beside words that only say it",
        unit(
            'echo "docker network create -d overlay proxy"\nlog docker network create -d overlay proxy\n'
            "cat <<EOF\ndocker network create -d overlay proxy\nEOF\n"
            f"docker network create -d overlay {NEW}proxy"
        ),
        A,
        (10,),
    ),
    Case(
        "beside a description",
        "{ lib, ... }: {\n  options.x = lib.mkOption {\n    type = lib.types.str;\n"
        "    description = ''\n      docker network create -d overlay proxy\n    '';\n"
        '    example = lib.literalExpression "docker network create -d overlay proxy";\n  };\n'
        f"  config.script = ''\n    docker network create -d overlay {NEW}proxy\n  '';\n}}\n",
        A,
        (10,),
    ),
    Case(
        "beside a bridge of the name",
        unit(f"docker network create proxy\ndocker network create -d overlay {NEW}proxy"),
        A,
        (6,),
        "Line 5 creates a bridge named proxy",
    ),
    Case(
        "beside shell and Nix escapes",
        unit(f"x=''${{FOO:-a}} y=$${{z}} q='''\ndocker network create -d overlay {NEW}proxy"),
        A,
        (6,),
    ),
    Case(
        "with a gateway inside",
        unit(f"docker network create -d overlay --gateway 10.10.0.1 {NEW}proxy"),
        A,
        (5,),
    ),
    Case(
        "with a second subnet for IPv6",
        unit(f"docker network create -d overlay --ipv6 --subnet fd00:10::/64 {NEW}proxy"),
        A,
        (5,),
    ),
    Case(
        "with tabs and no final newline",
        f"{{\n\tscript = ''\n\t\tdocker network create -d overlay\t--attachable\t{NEW}proxy\n\t'';\n}}",
        A,
        (3,),
    ),
    Case(
        "with the line ends of Windows",
        f'{{\r\n  a = "docker network create -d overlay {NEW}proxy\r\n";\r\n}}\r\n',
        A,
        (2,),
    ),
    Case(
        "with names that are no ASCII",
        unit(f"# Größe: 東京\ndocker network create -d overlay --label 'ort=東京' {NEW}proxy"),
        A,
        (6,),
    ),
    Case(
        "with commas behind the last argument",
        "{ pkgs, ... }:\nlet unit = { script, after ? [ ], }: { inherit script after; }; in\n"
        f'{{ systemd.services.s = unit {{ script = "docker network create -d overlay {NEW}proxy"; }}; }}\n',
        A,
        (3,),
    ),
    Case(
        "with such commas before comments, a name, and in arguments of arguments",
        'args@{\n  pkgs, # , }:\n  a ? [ 1 2 ],\n  b ? { x = ", }: "; y = { z, }: z; }, /* , } */\n'
        "  c ? '', }: ${({ d, } @ e: d) { d = 1; }}'', # last\n}\n:\n"
        f'{{ x = "docker network create -d overlay {NEW}proxy"; }}\n',
        A,
        (8,),
    ),
    Case("already there", unit("docker network create -d overlay --subnet 10.10.0.0/16 proxy"), P, (5,)),
    Case(
        "already there, with =", unit("docker network create --subnet=10.10.0.0/16 -d overlay proxy"), P, (5,)
    ),
    Case(
        "already there, quoted",
        unit("docker network create -d overlay --subnet '10.10.0.0/16' proxy"),
        P,
        (5,),
    ),
    Case(
        "already there, in a list",
        '{ x = [ "docker" "network" "create" "-d" "overlay" "--subnet=10.10.0.0/16" "proxy" ]; }\n',
        P,
        (1,),
    ),
    Case(
        "already there, twice",
        unit(
            "docker network create -d overlay --subnet 10.10.0.0/16 proxy ||\n"
            "  docker network create --subnet 10.10.0.0/16 -d overlay proxy"
        ),
        P,
        (5, 6),
    ),
    Case(
        "another subnet",
        unit("docker network create -d overlay --subnet 10.20.0.0/16 proxy"),
        C,
        (5,),
        "as 10.20.0.0/16, not as 10.10.0.0/16",
    ),
    Case(
        "two subnets",
        unit("docker network create -d overlay --subnet 10.10.0.0/16 --subnet 10.11.0.0/16 proxy"),
        C,
        (5,),
    ),
    Case(
        "a subnet that is none", unit("docker network create -d overlay --subnet=auto proxy"), C, (5,), "auto"
    ),
    Case(
        "a gateway outside",
        unit("docker network create -d overlay --gateway=10.0.1.1 proxy"),
        C,
        (5,),
        "--gateway 10.0.1.1, which is not in 10.10.0.0/16",
    ),
    Case(
        "two candidates",
        unit("docker network create -d overlay proxy\ndocker network create --attachable -d overlay proxy"),
        S,
        (5, 6),
        "lines 5, 6",
    ),
    Case(
        "one of two has it",
        unit(
            "docker network create -d overlay proxy\ndocker network create --subnet 10.10.0.0/16 -d overlay proxy"
        ),
        S,
        (5, 6),
    ),
    Case(
        "the name from the configuration",
        "{ config, ... }: {\n  script = ''\n    docker network create -d overlay ${config.swarm.network}\n  '';\n}\n",
        U,
        (3,),
        "its name comes from an expression",
    ),
    Case(
        "the name from a template's instance",
        '{ e."net@".ExecStart = "docker network create -d overlay %i"; }\n',
        U,
        (1,),
        "its name comes from an expression",
    ),
    Case(
        "the name from another program's output",
        unit("echo proxy | xargs -I{} docker network create -d overlay {}"),
        U,
        (5,),
        "its name comes from an expression",
    ),
    Case(
        "the name from a loop",
        unit('for n in proxy mon; do docker network create -d overlay "$n"; done'),
        U,
        (5,),
        "its name comes from an expression",
    ),
    Case(
        "the name from an argument that hides a binding",
        "let net = \"proxy\"; in { mk = net: ''\n  docker network create -d overlay ${net}\n''; }\n",
        U,
        (2,),
    ),
    Case(
        "options from an expression",
        "{ lib, config, ... }: {\n  script = ''\n    docker network create -d overlay"
        " ${lib.optionalString config.x \"--attachable\"} proxy\n  '';\n}\n",
        U,
        (3,),
        "its arguments come partly from an expression",
    ),
    Case(
        "the subnet from the configuration",
        "{ config, ... }: {\n  script = ''\n    docker network create -d overlay --subnet ${config.s} proxy\n  '';\n}\n",
        U,
        (3,),
        "its addresses come from an expression",
    ),
    Case(
        "an option that nobody knows",
        unit("docker network create -d overlay --frobnicate 7 proxy"),
        U,
        (5,),
        "option --frobnicate is unknown",
    ),
    Case(
        "a command in two strings",
        '{ a = "docker network create -d overlay " + "proxy"; }\n',
        U,
        (1,),
        "its name is not in the same text",
    ),
    Case(
        "a command in words of its own",
        '{ lib, ... }: { a = lib.concatStringsSep " " [ "docker network create" "-d overlay" "proxy" ]; }\n',
        U,
        (1,),
    ),
    Case(
        "a configuration network",
        unit("docker network create -d overlay --config-from base proxy"),
        U,
        (5,),
        "its settings come from a configuration network",
    ),
    Case("nothing of the kind", "{ pkgs, ... }: { environment.systemPackages = [ pkgs.docker ]; }\n", N, ()),
    Case(
        "only a bridge",
        unit("docker network create --driver bridge proxy"),
        N,
        (),
        "Line 5 creates proxy with the driver bridge, not as an overlay.",
    ),
    Case(
        "only a bridge, by default",
        unit("docker network create proxy"),
        N,
        (),
        "docker network create`. Line 5 creates a bridge named proxy, not an overlay, so it is left alone.",
    ),
    Case(
        "only another network",
        unit("docker network create -d overlay proxy-net"),
        N,
        (),
        "Line 5 creates proxy-net, not proxy.",
    ),
    Case("only a comment", unit("# docker network create -d overlay proxy\ntrue"), N, (), "line 5"),
    Case("an empty set", "{ }", N, ()),
)
