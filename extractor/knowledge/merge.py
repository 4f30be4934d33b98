"""One concept from many sources: terms that name the same thing are joined.

Sources are taken in their order; a term joins the concept that stands already

1. when it says it is the same as a code of that concept and no other term of its
   source says so, or one of its names is a name of that concept;
2. when its name is the concept's preferred name and both are in one group;
3. for substances: when exactly one concept without a code of the term's system is
   called by one of the term's synonyms, and no term of the source has that name
   ("lipoic acid" of one source is "thioctic acid" of another).

A term that does none of these starts a concept of its own. Codes of the ``kept``
systems that a source gives as the same are kept as further codes where one
term of the source alone claims them: a Disease Ontology term brings the OMIM
number and the MeSH supplementary concept that no other file names.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from extractor.knowledge.terms import GROUP_BIT, Term, key_of_heading

CLAIMED = ("MESH", "OMIM", "ICD10CM", "DRUGBANK", "RXNORM", "UMLS", "SNOMEDCT", "LOINC", "NCI")
KEPT = ("MESH", "OMIM", "ICD10CM")
PREFERRED, SYNONYM = 0, 1
"""Kinds of names."""

_LOOSE = GROUP_BIT["disorder"] | GROUP_BIT["finding"]


@dataclass(slots=True, kw_only=True)
class Joined:
    """A concept: its codes (the first is that of the source that named it), names by kind, groups, trees."""

    display: str
    codes: list[tuple[str, str]]
    names: dict[str, int] = field(default_factory=dict)
    groups: int = 0
    trees: set[str] = field(default_factory=set)


def merge(sources: Sequence[Iterable[Term]], *, kept: Sequence[str] = KEPT) -> list[Joined]:
    """The concepts of the sources, in the order in which they were first named; ``kept`` as in the module."""
    concepts: list[Joined] = []
    by_code: dict[tuple[str, str], int] = {}
    by_name: dict[str, list[int]] = defaultdict(list)
    for source in sources:
        terms = list(source)
        claims = Counter(code for term in terms for code in set(term.same))
        own = {(term.system, term.code) for term in terms}
        taken = {key_of_heading(term.name) for term in terms}
        for term in terms:
            index = _home(term, concepts, by_code, by_name, claims, taken)
            if index is None:
                index = len(concepts)
                concepts.append(Joined(display=term.name, codes=[]))
            concept = concepts[index]
            _add(concept, term, by_code, claims, own, frozenset(kept))
            for code in concept.codes:
                by_code.setdefault(code, index)
            preferred = key_of_heading(term.name)
            if index not in by_name[preferred]:
                by_name[preferred].append(index)
    return [concept for concept in concepts if concept.names]


def _home(
    term: Term,
    concepts: Sequence[Joined],
    by_code: dict[tuple[str, str], int],
    by_name: dict[str, list[int]],
    claims: Counter[tuple[str, str]],
    taken: set[str],
) -> int | None:
    own = by_code.get((term.system, term.code))
    if own is not None:
        return own
    groups = _bits(term)
    keys = {key_of_heading(name) for name in (term.name, *term.synonyms)}
    for reference in sorted(term.same, key=_rank):
        index = by_code.get(reference)
        if index is None or not _alike(concepts[index].groups, groups):
            continue
        if claims[reference] == 1 or keys & concepts[index].names.keys():
            return index
    for index in by_name.get(key_of_heading(term.name), ()):
        if _alike(concepts[index].groups, groups):
            return index
    if groups != GROUP_BIT["chemical"]:
        return None
    meant = {
        index
        for key in keys - taken
        for index in by_name.get(key, ())
        if _alike(concepts[index].groups, groups)
        and all(system != term.system for system, _ in concepts[index].codes)
    }
    return meant.pop() if len(meant) == 1 else None


def _add(
    concept: Joined,
    term: Term,
    by_code: dict[tuple[str, str], int],
    claims: Counter[tuple[str, str]],
    own: set[tuple[str, str]],
    kept: frozenset[str],
) -> None:
    code = (term.system, term.code)
    if code not in concept.codes:
        concept.codes.append(code)
    for reference in sorted(term.same, key=_rank):
        free = reference not in by_code and reference not in own and reference not in concept.codes
        if free and reference[0] in kept and claims[reference] == 1:
            concept.codes.append(reference)
    for name in (term.name, *term.synonyms):
        key = key_of_heading(name)
        if key:
            kind = PREFERRED if name == term.name else SYNONYM
            concept.names[key] = min(kind, concept.names.get(key, kind))
    concept.groups |= _bits(term)
    concept.trees |= set(term.trees)


def _bits(term: Term) -> int:
    return sum({GROUP_BIT[group] for group in term.groups})


def _alike(one: int, other: int) -> bool:
    return bool(one & other) or bool(one & _LOOSE and other & _LOOSE)


def _rank(code: tuple[str, str]) -> tuple[int, tuple[str, str]]:
    return (CLAIMED.index(code[0]) if code[0] in CLAIMED else len(CLAIMED), code)
