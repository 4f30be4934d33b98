"""Tables: one record family, one file: its contracts and how its rows are made."""
