"""The event log: append events once and in order, read them back without gaps. It knows nothing of jobs."""
