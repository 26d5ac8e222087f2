"""Lambda on this machine: runs the functions in threads or in processes of their own, and on their schedules."""
