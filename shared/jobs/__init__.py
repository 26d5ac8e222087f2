"""Jobs: their life, their event log, their checkpoints and limits."""
