"""Vocabulary packs: surface forms of concepts, small on disk and quick to load.

A pack is a folder ``models/<name>/<version>/`` with ``terms.tsv.gz``,
``manifest.json``, ``card.md`` and the text files its build used. One line of
``terms.tsv.gz`` is one concept: code system, code, display name, flags and the
folded surface forms joined by ``|``, sorted by system and code. Flags: ``a`` is
a substance that laboratories measure (see the dictionary extractor). A form
that starts with ``^`` counts only where the text has it in capitals and says
elsewhere what it means; one that starts with ``!`` needs only the capitals.

Folding (:func:`fold`) makes forms comparable: lower case, no accents, Greek
letters spelled out, hyphens, apostrophes and the possessive s dropped, British
spellings as American ones, pieces joined by one space. The same pieces come out of a text, so a match is one look
into a dictionary of strings. Equal input gives equal bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import unicodedata
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from extractor.errors import MissingToolError
from extractor.records import Code
from extractor.resources import manifest, model_folder, model_sha256

TERMS_FILE = "terms.tsv.gz"
EXPLAINED, TRUSTED = "^", "!"
MARKS = EXPLAINED + TRUSTED
"""Marks before a form that counts only in capitals."""

PIECE = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_](?:[^\W_]|[\u0300-\u036f])*|\S")
"""One token: a number, a word (may end in digits: B12), or a single other character."""

_DROPPED = frozenset("-\u2010\u2011\u2012\u2013\u2212\u00ad'\u2018\u2019\u02bc`\u00ae\u2122")
_APOSTROPHES = frozenset("'\u2018\u2019\u02bc")
_GREEK = {
    letter: unicodedata.name(letter).rsplit(" ", 1)[-1].lower()
    for letter in map(chr, range(0x3B1, 0x3CA))
    if letter != "\u03c2"
}
_SPELLINGS = (("ae", "e"), ("oe", "e"), ("tumour", "tumor"), ("sulph", "sulf"))
"""British spellings that are folded into the American ones, in texts and terms alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """One concept of a code system with its folded surface forms, marked as in the pack."""

    system: str
    code: str
    display: str
    forms: tuple[str, ...]
    flags: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """A loaded pack.

    ``forms`` maps a folded form to the index of its concept, ``capitals`` those
    that count only in capitals, of which ``trusted`` need no explanation in the
    text; ``longest`` gives for a first piece the number
    of pieces of the longest form that starts with it.
    """

    name: str
    version: str
    sha256: str
    codes: tuple[tuple[str, str, str], ...]
    measured: frozenset[int]
    forms: Mapping[str, int]
    capitals: Mapping[str, int]
    trusted: frozenset[str]
    longest: Mapping[str, int]

    def code(self, index: int) -> Code:
        """The concept of an index as a code with this pack's name and version."""
        system, code, display = self.codes[index]
        return Code(
            system=system, code=code, display=display, vocabulary_version=f"{self.name}/{self.version}"
        )


@lru_cache(maxsize=65_536)
def fold_piece(piece: str) -> str:
    """One piece in comparable form; empty where the piece is only a joint (hyphen, apostrophe)."""
    if piece in _DROPPED:
        return ""
    folded = piece.lower()
    if not folded.isascii():
        decomposed = unicodedata.normalize("NFKD", folded)
        plain = (letter for letter in decomposed if not unicodedata.combining(letter))
        folded = "".join(_GREEK.get(letter, letter) for letter in plain)
    before = ""
    while len(folded) > 5 and folded != before:
        before = folded
        for british, american in _SPELLINGS:
            folded = folded.replace(british, american)
    return folded


def fold(term: str) -> str:
    """The comparable form of a term: folded pieces joined by one space; may be empty."""
    pieces: list[str] = []
    found = PIECE.findall(term)
    for index, piece in enumerate(found):
        if piece in {"s", "S"} and index and found[index - 1] in _APOSTROPHES:
            continue
        folded = fold_piece(piece)
        if folded:
            pieces.append(folded)
    return " ".join(pieces)


def singular(piece: str) -> str:
    """A folded word without its plural ending; the word itself where none is recognised."""
    if len(piece) < 5 or not piece.endswith("s") or piece.endswith(("ss", "us", "is")):
        return piece
    if piece.endswith("ies") and len(piece) > 5:
        return piece[:-3] + "y"
    if piece.endswith(("ches", "shes", "xes", "sses")):
        return piece[:-2]
    return piece[:-1]


def build_pack(
    concepts: Iterable[Concept],
    *,
    folder: Path,
    name: str,
    version: str,
    licence: str,
    source: str,
    extra_files: Mapping[str, bytes] = {},
) -> Path:
    """Write ``terms.tsv.gz``, the extra files and ``manifest.json``; gives ``folder`` back.

    A form offered by several concepts stays with the one it is the name of, else
    with the first. Concepts left without a form are dropped. ``card.md`` is written by hand; where it
    exists already the manifest covers it too.
    """
    offered = list(concepts)
    owners: dict[str, tuple[int, int]] = {}
    for position, concept in enumerate(offered):
        named = {fold(concept.display), fold(" ".join(reversed(concept.display.split(", "))))}
        named |= {singular(name) for name in named}
        for form in concept.forms:
            bare = form.lstrip(MARKS)
            rank = (0 if bare in named else 1, position)
            owners[bare] = min(rank, owners.get(bare, rank))
    lines: list[str] = []
    for position, concept in enumerate(offered):
        forms = sorted({form for form in concept.forms if owners[form.lstrip(MARKS)][1] == position})
        if forms:
            fields = (concept.system, concept.code, concept.display, concept.flags, "|".join(forms))
            if any(mark in field for field in fields for mark in "\t\n\r"):
                raise ValueError("a concept holds a tab or line break")
            lines.append("\t".join(fields))
    lines.sort()
    folder.mkdir(parents=True, exist_ok=True)
    files = {TERMS_FILE: gzip.compress("\n".join(lines).encode(), compresslevel=9, mtime=0), **extra_files}
    for file, content in files.items():
        (folder / file).write_bytes(content)
    card = folder / "card.md"
    if card.is_file():
        files["card.md"] = card.read_bytes()
    described = {
        "name": name,
        "version": version,
        "licence": licence,
        "source": source,
        "files": {file: hashlib.sha256(content).hexdigest() for file, content in sorted(files.items())},
    }
    text = json.dumps(described, indent=2, ensure_ascii=False) + "\n"
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    return folder


def load_pack(name: str) -> Vocabulary:
    """A pack of ``models/`` by ``name`` or ``name/version``, digests checked.

    Raises:
        MissingToolError: absent, altered, or not of this format.
    """
    path = model_folder(name)
    described = manifest(path)
    codes: list[tuple[str, str, str]] = []
    measured: list[int] = []
    forms: dict[str, int] = {}
    capitals: dict[str, int] = {}
    trusted: list[str] = []
    longest: dict[str, int] = {}
    try:
        lines = gzip.decompress((path / TERMS_FILE).read_bytes()).decode().split("\n")
        for index, line in enumerate(lines):
            system, code, display, flags, joined = line.split("\t")
            codes.append((system, code, display))
            if "a" in flags:
                measured.append(index)
            for marked in joined.split("|"):
                form = marked.lstrip(MARKS)
                (forms if form == marked else capitals)[form] = index
                if marked[0] == TRUSTED:
                    trusted.append(form)
                first, _, rest = form.partition(" ")
                count = rest.count(" ") + 2 if rest else 1
                if longest.get(first, 0) < count:
                    longest[first] = count
    except (OSError, EOFError, zlib.error, ValueError, IndexError) as exc:
        raise MissingToolError(
            f"model {name!r}: {TERMS_FILE} is not a vocabulary", code="tool.model"
        ) from exc
    return Vocabulary(
        name=described["name"],
        version=described["version"],
        sha256=model_sha256(path),
        codes=tuple(codes),
        measured=frozenset(measured),
        forms=forms,
        capitals=capitals,
        trusted=frozenset(trusted),
        longest=longest,
    )
