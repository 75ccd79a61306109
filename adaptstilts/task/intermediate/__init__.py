"""English tasks that are trained first, one file each."""
