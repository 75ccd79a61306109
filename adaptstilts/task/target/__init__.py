"""What is measured in other languages, one file each."""
