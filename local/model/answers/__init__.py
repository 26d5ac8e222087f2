"""What the scripted model writes for each application: one module per application, found by iterating the package."""
