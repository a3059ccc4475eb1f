"""A second, private dockerd on this host for some seconds: its network, its cable, its firewall rules and its unit."""
