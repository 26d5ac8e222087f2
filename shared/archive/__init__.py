"""Keep jobs readable after they have expired, and count what all jobs have used."""
