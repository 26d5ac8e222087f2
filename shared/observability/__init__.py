"""What leaves a function besides its answers: log lines, metrics, traces and error reports."""
