"""Relators: what links the mentions of one document."""
