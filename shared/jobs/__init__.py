"""Jobs: their statuses, transitions, executions and checkpoints."""
