"""Declarations of tasks, benchmarks and languages; no code that loads or scores."""
