"""What the demo shows of each application, one module per pipeline."""
