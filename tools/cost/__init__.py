"""Compute what jobs cost on AWS, and which quota they reach first, from counts of the local stack and list prices."""
