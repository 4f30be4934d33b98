"""OCR: one engine, one file, and the reading of one scanned page. Pixels exist only here and in readers."""
