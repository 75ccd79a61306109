"""Train the small multilingual encoder that the `pocket` profile runs on."""
