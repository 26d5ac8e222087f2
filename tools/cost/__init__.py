"""What jobs cost on AWS, and which quota they meet first: from counts of the local stack and list prices."""
