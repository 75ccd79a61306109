"""From a system's expression to active adapters on the model."""
