"""Task output layers, stored beside their adapters, never inside them."""
