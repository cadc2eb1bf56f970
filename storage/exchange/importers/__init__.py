"""One module for each program whose conversations can be read."""
