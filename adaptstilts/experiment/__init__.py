"""From a recipe to a plan of stages, to its execution, to a record."""
