"""The typed recipe: reading it, finding every mistake in it with its place, and explaining it."""
