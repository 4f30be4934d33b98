"""Pages of a damaged PDF that its own page tree does not lead to any more.

A file that was cut off, or whose tree counts wrongly, may still hold whole
pages. They are put into a new tree; the places of pages that are known to be
lost stay free, so that a document never gets shorter unsaid.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from extractor.readers.pdf_page import mupdf_errors

REFERENCE = re.compile(r"(\d+)\s+\d+\s+R\b")
"""A reference to another object, with its number."""

_LINEARIZED = re.compile(rb"/Linearized\b[^>]{0,400}?>>", re.DOTALL)
_LINEARIZED_WINDOW = 2048
_MAX_DEPTH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PageList:
    """The pages of a file in order: object numbers, None where a page is known to be lost."""

    xrefs: tuple[int | None, ...]

    @property
    def found(self) -> list[int]:
        """Object numbers of the pages that are there."""
        return [xref for xref in self.xrefs if xref is not None]


def walk_tree(document: Any, *, most: int) -> PageList:
    """The leaves of the page tree that the catalogue names, whatever the tree says about their count.

    Each node is visited once, and the walk ends after ``most`` leaves and one.
    A child that is no object is a lost page.
    """
    catalogue = document.pdf_catalog()
    root = _reference(*key_of(document, catalogue, "Pages")) if catalogue else None
    return PageList(xrefs=tuple(_leaves(document, root, most)))


def find_pages(document: Any, content: bytes, *, least: int, most: int) -> PageList:
    """Pages for a file whose page tree leads nowhere.

    A page tree without its catalogue comes first; else every page object, in
    the order of their numbers, which is the order in which programs write
    them. What the tree, the linearisation dictionary or ``least`` counts beyond
    them is lost.
    """
    trees: list[int] = []
    pages: list[int] = []
    for xref in range(1, document.xref_length()):
        kind, value = key_of(document, xref, "Type")
        if kind != "name":
            continue
        if value == "/Page":
            pages.append(xref)
        elif value == "/Pages" and key_of(document, xref, "Parent")[0] != "xref":
            trees.append(xref)
    best: list[int | None] = []
    for tree in trees:
        leaves = list(_leaves(document, tree, most))
        if sum(leaf is not None for leaf in leaves) > sum(leaf is not None for leaf in best):
            best = _filled(leaves, max(least, _integer(document, tree, "Count") or 0), most)
    if best:
        return PageList(xrefs=tuple(best))
    count, first = _linearized(content)
    if first in pages:
        pages.remove(first)
        pages.insert(0, first)
    return PageList(xrefs=tuple(_filled(list(pages), max(least, count or 0) if pages else 0, most)))


def rebuild(document: Any, pages: PageList) -> bytes:
    """The file with a new page tree that holds the pages found, in their order.

    What pages inherited from a lost tree (size, resources) is not known: they
    get the library's default size, and text in a lost font is lost.
    """
    tree, catalogue = document.get_new_xref(), document.get_new_xref()
    kids = " ".join(f"{xref} 0 R" for xref in pages.found)
    document.update_object(tree, f"<</Type/Pages/Count {len(pages.found)}/Kids[{kids}]>>")
    document.update_object(catalogue, f"<</Type/Catalog/Pages {tree} 0 R>>")
    for xref in pages.found:
        document.xref_set_key(xref, "Type", "/Page")
        document.xref_set_key(xref, "Parent", f"{tree} 0 R")
    document.xref_set_key(-1, "Root", f"{catalogue} 0 R")
    content: bytes = document.tobytes()
    return content


def _leaves(document: Any, root: int | None, most: int) -> list[int | None]:
    found: list[int | None] = []
    seen: set[int] = set()
    length = document.xref_length()
    stack: list[tuple[int | None, int]] = [(root, 0)]
    while stack and len(found) <= most:
        xref, depth = stack.pop()
        if xref is None or not 0 < xref < length:
            if depth:
                found.append(None)
            continue
        if xref in seen or depth > _MAX_DEPTH:
            continue
        seen.add(xref)
        kind, value = key_of(document, xref, "Kids")
        if kind == "xref":
            kind, value = "array", object_of(document, _reference(kind, value) or 0)
        if kind == "array":
            kids = [int(number) for number in REFERENCE.findall(value)]
            stack.extend((kid, depth + 1) for kid in reversed(kids))
        elif depth:
            found.append(xref if object_of(document, xref).startswith("<<") else None)
    return found


def _filled(leaves: list[int | None], count: int, most: int) -> list[int | None]:
    """``leaves`` with lost pages put in where the last known loss is, up to ``count``."""
    lacking = min(count, most) - len(leaves)
    if lacking <= 0:
        return leaves
    places = [index for index, leaf in enumerate(leaves) if leaf is None]
    at = places[-1] if places else len(leaves)
    return [*leaves[:at], *([None] * lacking), *leaves[at:]]


def _linearized(content: bytes) -> tuple[int | None, int | None]:
    """The number of pages and the first page's object, as the head of a linearised file says."""
    found = _LINEARIZED.search(content[:_LINEARIZED_WINDOW])
    if found is None:
        return None, None
    count = re.search(rb"/N\s+(\d{1,7})", found.group())
    first = re.search(rb"/O\s+(\d{1,9})", found.group())
    return int(count.group(1)) if count else None, int(first.group(1)) if first else None


def _integer(document: Any, xref: int, key: str) -> int | None:
    kind, value = key_of(document, xref, key)
    return int(value) if kind == "int" else None


def _reference(kind: str, value: str) -> int | None:
    found = REFERENCE.match(value) if kind == "xref" else None
    return int(found.group(1)) if found else None


def key_of(document: Any, xref: int, key: str) -> tuple[str, str]:
    """A key of an object, kind and value as pymupdf gives them; ``("null", "null")`` where it cannot be read."""
    try:
        kind, value = document.xref_get_key(xref, key)
    except mupdf_errors():
        return "null", "null"
    return kind, value


def object_of(document: Any, xref: int) -> str:
    """The source of an object, ``null`` where it is absent or cannot be read."""
    try:
        return str(document.xref_object(xref))
    except mupdf_errors():
        return "null"
