"""Collections of documents in the window."""
