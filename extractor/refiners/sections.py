"""The sections of a document: clinical notes, letters, drug labels, case reports, regulatory letters.

Headings are told by their form (a heading block of the layout, markdown, a
numbered line, a line or the start of a sentence that ends in a colon, capitals)
and named by the title table of the rule pack ``rules-sections``. A heading that
the table does not know ends the section before it, and opens one named
``other``, only where it stands alone and is marked as a heading; a title
followed by text on the same line counts only if the table knows it.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from extractor.document import Document
from extractor.errors import MissingToolError
from extractor.resources import model_folder
from extractor.spans import Span

PACK = "rules-sections"
OTHER = "other"
LONGEST_TITLE = 90
"""Characters of a line that may be a heading."""

_OPEN = frozenset({"", OTHER, "vital_signs", "allergies"})
"""Sections that a sub-heading such as HEENT ends."""

_NUMBER = re.compile(
    r"(?:section\s+)?(\d{1,2}(?:\.\d{1,2}){0,3}|[IVX]{1,4}|[A-H])(?:[.)]\s+|\s+|[.)]?$)", re.IGNORECASE
)
_MARKDOWN = re.compile(r"(?P<level>#{1,6})[ \t]+")
_EMPHASIS = re.compile(r"[*_`#]+")
_LINE = re.compile(r"[^\n\f\v\r\u2028\u2029]+")
_INLINE = re.compile(
    r"(?:(?P<line>^)|(?<=[.,;!?])|(?<=\s\s))\s{0,3}[*_#]{0,6}\s{0,3}"
    r"(?P<title>[A-Z][A-Za-z]*(?:[/&,'\u2019() -]{1,3}[A-Za-z]+){0,6})[*_]{0,2}\s?:(?!\d)",
)
_NOT_IN_TITLE = re.compile(r"[^\w\s'-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A named stretch of a document, its heading included.

    ``span`` runs from the heading to the next section or the end of the text;
    ``name`` is snake case; ``body`` is the offset just after the heading.
    """

    name: str
    span: Span
    body: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Titles:
    """The title table: folded title to section name, and sub-headings with the section they suggest."""

    names: Mapping[str, str]
    within: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heading:
    start: int
    end: int
    title: str
    alone: bool
    marked: bool
    level: int = 0
    number: str = ""


@cache
def load_titles() -> Titles:
    """The title table of the newest ``rules-sections`` pack.

    Raises:
        MissingToolError: absent, altered, or not of this format.
    """
    names: dict[str, str] = {}
    within: dict[str, str] = {}
    path = model_folder(PACK) / "sections.tsv"
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        name, mark, titles = line.partition("\t")
        if not mark or not name or not titles:
            raise MissingToolError(f"model {PACK!r}: sections.tsv needs two columns", code="tool.model")
        table = within if name.startswith("+") else names
        for title in titles.split("|"):
            table.setdefault(fold_title(title), name.lstrip("+"))
    return Titles(names=names, within=within)


def fold_title(title: str) -> str:
    """A title in the form of the table: lower case, ``and`` for ``&`` and ``/``, no marks, single blanks."""
    plain = unicodedata.normalize("NFKC", title).casefold().replace("\u2019", "'")
    plain = plain.replace("&", " and ").replace("(es)", "").replace("(s)", "")
    plain = re.sub(r"\([^)]*\)", " ", plain)
    return " ".join(_NOT_IN_TITLE.sub(" ", plain).replace("'s ", " ").split())


def sections(document: Document) -> tuple[Section, ...]:
    """The sections of ``document`` in order, without gaps from the first heading on.

    Text before the first heading belongs to none. Neighbours of equal name are
    one section. Those of the current document are kept: several refiners ask for them.
    """
    if not _kept or _kept[0][0] is not document:
        _kept[:] = [(document, _find(document))]
    return _kept[0][1]


_kept: list[tuple[Document, tuple[Section, ...]]] = []


def _find(document: Document) -> tuple[Section, ...]:
    titles = load_titles()
    found: list[tuple[str, int, int]] = []
    number, level = "", 0
    for heading in _headings(document):
        folded = fold_title(heading.title)
        current = found[-1][0] if found else ""
        inside = bool(current) and bool(number) and heading.number.startswith(f"{number}.")
        name = titles.names.get(folded)
        if inside and current != OTHER:
            continue  # "5.1 Hypoglycaemia" belongs to 5
        if name is None and folded in titles.within:
            if current not in _OPEN:
                continue
            name = titles.within[folded]
        if name is None:
            deeper = bool(heading.level and level and heading.level > level)
            if not heading.alone or not heading.marked or (deeper and current != OTHER):
                continue
            name = OTHER
        number, level = heading.number, heading.level or level
        if name != current:
            found.append((name, heading.start, heading.end))
    if not found:
        return ()
    ends = [start for _, start, _ in found[1:]] + [len(document.text)]
    return tuple(
        Section(name=name, span=Span(start, end), body=min(body, end))
        for (name, start, body), end in zip(found, ends, strict=True)
    )


def section_at(found: Sequence[Section], starts: Sequence[int], offset: int) -> Section | None:
    """The section that holds ``offset``; ``starts`` are the starts of ``found``."""
    at = bisect_right(starts, offset) - 1
    return found[at] if at >= 0 else None


def _headings(document: Document) -> Iterator[_Heading]:
    """Candidates in order of their place, at most one per start."""
    blocks = _heading_blocks(document)
    tables = _table_spans(document)
    text = document.text
    block_starts = [start for start, _ in blocks]
    table_starts = [start for start, _ in tables]
    done = 0
    for found in _LINE.finditer(text):
        start, end = found.span()
        if start < done:
            continue
        first = bisect_right(block_starts, end - 1) - 1
        if first >= 0 and blocks[first][0] >= start:
            block_start, block_end = blocks[first]
            done = block_end
            yield from _block_heading(text, block_start, block_end)
            continue
        at = bisect_right(table_starts, start) - 1
        if at < 0 or tables[at][1] <= start:
            yield from _line_headings(text, start, end)


def _block_heading(text: str, start: int, end: int) -> Iterator[_Heading]:
    if end - start > 2 * LONGEST_TITLE:
        return
    title = " ".join(_EMPHASIS.sub("", text[start:end]).split())
    inline = _INLINE.match(title)
    if inline and inline.end() < len(title) and fold_title(inline["title"]) in load_titles().names:
        yield _Heading(start=start, end=end, title=inline["title"], alone=True, marked=True)
        return
    number, bare = _numbered(title.rstrip(":").strip())
    yield _Heading(start=start, end=end, title=bare, alone=True, marked=True, number=number)


def _line_headings(text: str, start: int, end: int) -> Iterator[_Heading]:
    line = text[start:end]
    stripped = line.strip()
    if not stripped:
        return
    first = start + line.index(stripped[0])
    if len(stripped) <= LONGEST_TITLE:
        whole = _whole_line(stripped, first)
        if whole is not None:
            yield whole
            return
    if ":" not in line:
        return
    names, within = load_titles().names, load_titles().within
    for found in _INLINE.finditer(line):
        title = found["title"].strip()
        folded = fold_title(title)
        at_start = not line[: found.start("title")].strip(" \t*_#-\u2022")
        if folded in within and title.istitle() and not at_start:
            continue
        if folded in names or folded in within:
            if not at_start and not title.isupper() and not title.istitle() and not _titled(title):
                continue
            yield _Heading(
                start=start + found.start("title"),
                end=start + found.end(),
                title=title,
                alone=False,
                marked=True,
            )
        elif at_start and title.isupper() and " " in title:
            yield _Heading(
                start=start + found.start("title"),
                end=start + found.end(),
                title=title,
                alone=True,
                marked=True,
            )


def _whole_line(line: str, start: int) -> _Heading | None:
    """The heading that a line is as a whole, None where it reads as text."""
    end = start + len(line)
    markdown = _MARKDOWN.match(line)
    level = len(markdown["level"]) if markdown else 0
    emphasised = bool(markdown) or (
        line.startswith(("**", "__")) and line.rstrip(": ").endswith(("**", "__"))
    )
    title = _EMPHASIS.sub("", line).strip()
    colon = title.endswith(":")
    title = title.rstrip(": ").strip()
    if not title or ":" in title or not any(map(str.isalpha, title)):
        return None
    number, bare = _numbered(title)
    folded = fold_title(bare)
    known = folded in load_titles().names or folded in load_titles().within
    if not known and (len(bare.split()) > 9 or bare.endswith((".", ",", ";")) or not bare[:1].isalnum()):
        return (
            _Heading(start=start, end=end, title=bare, alone=True, marked=True, level=level)
            if markdown
            else None
        )
    capitals = bare.isupper() and sum(map(str.isalpha, bare)) >= 4
    if emphasised or (known and (colon or capitals or number or _titled(bare) or bare[:1].isupper())):
        marked = True
    else:
        marked = (
            capitals and (colon or bool(number) or len(bare.split()) > 1) and not any(map(str.isdigit, bare))
        )
        marked = marked or (colon and not known and _titled(bare) and len(bare.split()) <= 6)
    if not known and not marked:
        return None
    if known and not marked:
        return None
    return _Heading(start=start, end=end, title=bare, alone=True, marked=True, level=level, number=number)


def _numbered(title: str) -> tuple[str, str]:
    """The number before a title and the title without it."""
    found = _NUMBER.match(title)
    if found is None or not title[found.end() :].strip():
        return "", title
    mark = found[1]
    if not mark[0].isdigit() and title[found.end(1)] not in ".)":
        return "", title  # "A case report" is no numbered heading
    return mark.rstrip("."), title[found.end() :].strip()


def _titled(title: str) -> bool:
    words = [word for word in re.findall(r"[^\W\d_]+", title) if len(word) > 3]
    return bool(words) and all(word[0].isupper() for word in words)


def _heading_blocks(document: Document) -> list[tuple[int, int]]:
    return _block_spans(document, "heading")


def _table_spans(document: Document) -> list[tuple[int, int]]:
    return _block_spans(document, "table")


def _block_spans(document: Document, kind: str) -> list[tuple[int, int]]:
    spans, base = [], 0
    starts = document.word_starts
    for page in document.pages:
        for block in page.blocks:
            if block.kind == kind:
                last = base + block.last - 1
                spans.append(
                    (starts[base + block.first], starts[last] + len(page.words[block.last - 1].text))
                )
        base += len(page.words)
    return sorted(spans)
