"""Webhooks: tell endpoints of a job's owner what happens to the job, in requests that are signed."""
