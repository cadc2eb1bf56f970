"""Stores of other programs: where their models lie, and what they are called there. Nothing is copied."""
