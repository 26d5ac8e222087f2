"""What a function emits besides its results: log lines, metrics, traces and error reports."""
