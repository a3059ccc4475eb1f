"""What the errors of tasks and of allocations mean: one table, for the state of a task and for dockerd's log alike."""
