"""Models and downloads as people see them."""
