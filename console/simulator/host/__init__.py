"""The demo's host: a folder that looks like a NixOS machine, whose dockerd is the simulated engine."""
