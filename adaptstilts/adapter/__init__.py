"""Adapter weights on the base: kinds, attaching, storing, checking."""
