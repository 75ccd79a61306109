"""Scores and their intervals from plain numpy arrays."""
