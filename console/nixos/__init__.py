"""NixOS: the edit of the file that creates the network, and nixos-rebuild."""
