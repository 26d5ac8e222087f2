"""What the demo shows of each application: one module per application, found by iterating the package."""
