"""The lake: Delta tables, commits, maintenance, verification, reading under policy."""
