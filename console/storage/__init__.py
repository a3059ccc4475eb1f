"""What is kept on disk between two commands: censuses, history, and the state directory itself."""
