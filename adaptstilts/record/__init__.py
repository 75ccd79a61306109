"""What a run leaves behind: its record, its tidy scores and where they came from."""
