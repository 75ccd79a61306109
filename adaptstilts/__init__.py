"""Adapter-based intermediate-task training for cross-lingual encoders."""

__version__ = "0.1.0"
