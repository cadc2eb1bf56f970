"""The conversation: transcript, composer, their blocks."""
