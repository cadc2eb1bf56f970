"""The command line: every job of the window, for scripts, tests and people without a screen."""
