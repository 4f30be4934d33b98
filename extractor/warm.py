"""Libraries that the fork server loads once, so that workers start quickly and share their memory.

Only libraries whose threads, if they start any when imported, survive a fork;
the rest load in the worker.
"""

from __future__ import annotations

import gc
import sys

import lxml.etree
import scispacy.abbreviation
import spacy
import tesserocr

import extractor.pipeline

# pymupdf 2 loads a page layout model for onnxruntime when it is imported: half a second, 55 MB and threads that no fork
# survives, for a function that nobody calls here. While the name stands for nothing, it does without.
_ABSENT = "pymupdf.layout" not in sys.modules
if _ABSENT:
    sys.modules["pymupdf.layout"] = None  # type: ignore[assignment]

import pymupdf  # noqa: E402

if _ABSENT:
    del sys.modules["pymupdf.layout"]

gc.collect()
gc.freeze()  # what is loaded by now stays: workers need not look through it, and go on sharing its memory

__all__ = ["extractor", "lxml", "pymupdf", "scispacy", "spacy", "tesserocr"]
