"""Readers: one format, one file. None of them knows that OCR exists."""
