"""Concept identifiers as corpora and code systems write them, made comparable.

``MESH:D014262``, ``D014262`` and system ``MESH`` with code ``D014262`` are one
concept. A composite joins several by ``|``, ``+``, ``,`` or ``;``.
"""

from __future__ import annotations

import re

from extractor.records import Code

Concept = tuple[str, str]
"""System ("" where nobody names one) and code, both in capitals."""

_SYSTEMS = {
    "MSH": "MESH",
    "MIM": "OMIM",
    "MDR": "MEDDRA",
    "ICD-10-CM": "ICD10CM",
    "ICD10-CM": "ICD10CM",
    "ENTREZ": "NCBIGENE",
    "GENE": "NCBIGENE",
    "TAXON": "NCBITAXON",
    "TAXONOMY": "NCBITAXON",
    "HPO": "HP",
    "DO": "DOID",
}
_MESH = re.compile(r"[CD]\d{6,9}")
_PREFIX = re.compile(r"([A-Za-z][A-Za-z0-9_-]*):(.+)")
_VARIANT = re.compile(r"[cgmnpr]\|")
_NOTHING = {"", "-", "-1", "NIL", "CUI-LESS", "NONE"}


def concepts_of(written: str | None) -> frozenset[Concept]:
    """The concepts of one annotation; empty where it names none (-1, NIL)."""
    if written is None:
        return frozenset()
    parts = [written] if _VARIANT.match(written) else re.split(r"[|+,;]", written)
    system = ""
    found = set()
    for part in parts:
        bare = part.strip()
        prefix = _PREFIX.fullmatch(bare)
        if prefix:  # a prefix holds for the parts after it: "MESH:D1|D2"
            system, bare = prefix.groups()
        if bare.upper() not in _NOTHING:
            found.add(_concept(system, bare))
    return frozenset(found)


def concept_of(code: Code | None) -> Concept | None:
    """The concept of one of our mentions, None where it has no code."""
    if code is None or code.code.upper() in _NOTHING:
        return None
    prefix = _PREFIX.fullmatch(code.code)
    return _concept(code.system, prefix.group(2) if prefix else code.code)


def is_one_of(concept: Concept | None, wanted: frozenset[Concept]) -> bool:
    """Whether ``concept`` is among ``wanted``; a concept of no system equals one of any."""
    if concept is None:
        return False
    system, code = concept
    return any(code == other and (not system or not name or system == name) for name, other in wanted)


def _concept(system: str, code: str) -> Concept:
    name = system.strip().upper()
    name = _SYSTEMS.get(name, name)
    bare = code.strip().upper()
    if not name and _MESH.fullmatch(bare):
        name = "MESH"
    if name == "OMIM":
        bare = bare.lstrip("#*%+^")
    return name, bare
