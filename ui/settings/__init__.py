"""Dialogs of settings."""
