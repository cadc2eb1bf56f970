"""Conversations in and out: other programs' become ours, and ours become files for anything else."""
