"""Passive widgets: they receive values and emit intentions. Only this package speaks to people."""
