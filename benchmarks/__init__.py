"""Measurements of the numbers that the design asks for; run by hand or by `make bench`."""
