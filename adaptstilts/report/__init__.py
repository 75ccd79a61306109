"""What a run says, for people: terminal table, figures, one-file page."""
