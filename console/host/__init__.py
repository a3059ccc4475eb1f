"""The host that it runs on: the one door that runs processes, and what is read from it directly."""
