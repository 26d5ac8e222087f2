"""AWS's services on this machine: moto behind IAM policies, with consumed capacity, faults and latency."""
