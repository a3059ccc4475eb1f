"""What a maintenance run is, pure: the events of its log, what they amount to, and what comes next."""
