"""What each command composes and runs; imported only when its command is used."""
