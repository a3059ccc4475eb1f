"""Other engines of the swarm, read where the settings name them: what each node itself has and logs. None is required."""
