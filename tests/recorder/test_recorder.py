"""The recorder on a simulated engine, in simulated time."""
