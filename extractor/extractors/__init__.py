"""Extractors: one way of finding entities, one file."""
