"""Guessing the next tokens cheaply, so that one decode call checks several of them at once."""
