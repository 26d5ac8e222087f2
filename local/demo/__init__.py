"""What a developer sees: jobs shown in the terminal, and commands to try the local stack with."""
