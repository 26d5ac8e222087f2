"""The event log: append events once and in order, and read them without gaps. It does not know jobs."""
