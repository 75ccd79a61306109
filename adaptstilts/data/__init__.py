"""Rows from a mirror, the hub or the bundled pocket data, made into examples and bitext."""
