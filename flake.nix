{
  description = "Who holds every address of a Docker Swarm overlay, which leaked, and whether the next deploy will hang";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      each = f: nixpkgs.lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});
    in
    {
      packages = each (pkgs: rec {
        vipconsole = pkgs.callPackage ./console/nixos/package.nix { };
        default = vipconsole;
      });

      apps = each (pkgs: {
        default = {
          type = "app";
          program = "${self.packages.${pkgs.system}.default}/bin/vipconsole";
        };
      });

      overlays.default = final: _: { vipconsole = final.callPackage ./console/nixos/package.nix { }; };

      nixosModules.default = ./console/nixos/module.nix;

      # A machine with Docker, a swarm and the module: `nix flake check` starts it where there is KVM.
      checks = each (pkgs: {
        machine = pkgs.testers.runNixOSTest ./console/nixos/machine-test.nix;
      });

      formatter = each (pkgs: pkgs.nixfmt-rfc-style);
    };
}
