"""The command line: a lazy click group, one file a command."""
