"""One module a use case of the window; Qt signals without widgets."""
