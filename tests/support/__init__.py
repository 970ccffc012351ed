"""Real parts that tests run against; nothing here replaces our own code."""
