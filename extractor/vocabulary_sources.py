"""How the shipped vocabulary packs are made from their public sources.

``python -m extractor.vocabulary_sources NAME --source DIR --out DIR`` reads plain
text files only. The list files of a pack (``stop.txt``, ``measured.txt``,
``extra.tsv`` ...) lie in ``--out``, are read by the build and stay there, so
that a pack says itself what was taken out and added by hand.
"""

from __future__ import annotations

import gzip
import html
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from extractor.errors import ConfigError
from extractor.vocabulary import EXPLAINED, TRUSTED, Concept, build_pack, fold, singular

_MARKUP = re.compile(r"[<>{}\[\]=|&^\\]|https?:|\bother\b.{12}")
_LONGEST_PIECES = 12

DRUG_BRANCHES = ("D02", "D03", "D04", "D09.067", "D09.203", "D09.698", "D10", "D12.644.548", "D26.310")
"""MeSH branches whose substances are taken although no drug register names them."""

DISEASE_BRANCHES = ("C", "F03")
"""MeSH branches of diseases: diseases, signs and symptoms; mental disorders."""


def rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a gzipped TSV file with a header line; surrounding double quotes removed."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        header = next(stream).rstrip("\n").split("\t")
        for line in stream:
            yield dict(zip(header, (cell.strip('"') for cell in line.rstrip("\n").split("\t")), strict=False))


def list_file(path: Path) -> list[str]:
    """The lines of a list file without comments (``#``) and blank lines; none where it is absent."""
    if not path.is_file():
        return []
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").split("\n"))
    return [line for line in lines if line]


def natural_order(term: str) -> str:
    """An inverted index heading as it is written in prose: ``Abdomen, Acute`` gives ``Acute Abdomen``.

    Commas between digits belong to a chemical name and stay.
    """
    parts = re.split(r",\s+", term)
    return " ".join(reversed(parts)) if len(parts) > 1 else term


def initials(term: str) -> str:
    """The first letters of the folded pieces of a term."""
    return "".join(piece[0] for piece in fold(term).split())


@dataclass(frozen=True, slots=True)
class Lists:
    """The hand-kept lists of a pack: what is not reported, what is trusted in capitals, what is added."""

    stopped: frozenset[str]
    trusted: frozenset[str]
    measured: frozenset[str]
    extra: Mapping[str, frozenset[str]]
    claimed: frozenset[str]

    @classmethod
    def read(cls, folder: Path) -> Lists:
        """``stop.txt``, ``trusted.txt``, ``measured.txt`` and ``extra.tsv`` of a pack's folder."""
        extra: dict[str, set[str]] = defaultdict(set)
        for line in list_file(folder / "extra.tsv"):
            concept, _, term = line.partition("\t")
            extra[concept.lower()].add(term)
        return cls(
            stopped=frozenset(map(fold, list_file(folder / "stop.txt"))),
            trusted=frozenset(map(fold, list_file(folder / "trusted.txt"))),
            measured=frozenset(map(fold, list_file(folder / "measured.txt"))),
            extra={concept: frozenset(terms) for concept, terms in extra.items()},
            claimed=frozenset(fold(term) for terms in extra.values() for term in terms),
        )

    def forms_of(self, terms: Iterable[str], display: str) -> tuple[str, ...]:
        """Folded forms of the terms of one concept, marked where they count only in capitals.

        A single word of up to five signs is taken for an abbreviation when it
        gives the initials of another name of the concept or has no vowel or has
        at most three letters. Plural last words are also given in the singular.
        Terms that ``extra.tsv`` gives to another concept are left to that one.
        """
        own = self.extra.get(display.lower(), frozenset())
        kept = {*own, *(term for term in terms if fold(term) not in self.claimed)}
        long_forms = {initials(natural_order(term)) for term in {*kept, display} if " " in term}
        long_forms |= {initials(term) for term in {*kept, display} if " " in term}
        found: set[str] = set()
        for term in kept:
            form = fold(natural_order(term))
            if not self._usable(form):
                continue
            if is_abbreviation(form, long_forms):
                found.add((TRUSTED if form in self.trusted else EXPLAINED) + form)
                continue
            found.add(form)
            head, _, last = form.rpartition(" ")
            if head and self._usable(f"{head} {singular(last)}"):
                found.add(f"{head} {singular(last)}")
        return tuple(sorted(found))

    def _usable(self, form: str) -> bool:
        return (
            sum(map(str.isalpha, form)) >= 2
            and form[0].isalnum()
            and form[-1].isalnum()
            and form not in self.stopped
            and form.count(" ") < _LONGEST_PIECES
        )

    def check_used(self, displays: Iterable[str]) -> None:
        """Refuse terms of ``extra.tsv`` whose concept the sources do not have."""
        missing = self.extra.keys() - {display.lower() for display in displays}
        if missing:
            raise ConfigError(f"extra.tsv names concepts that the sources lack: {', '.join(sorted(missing))}")


def is_abbreviation(form: str, long_forms: set[str]) -> bool:
    """Whether a folded form is short enough, and odd enough, to be taken for an abbreviation."""
    letters = sum(map(str.isalpha, form))
    if " " in form:
        return letters <= 3
    return letters <= 3 or (len(form) <= 5 and (form in long_forms or not re.search(r"[aeiouy]", form)))


def build_drugs(source: Path, out: Path) -> None:
    """``vocabulary-drugs``: names of ``source/drugs`` without those that only Wikipedia gave.

    A concept needs a DrugBank id, or a place in the MeSH branches of substances
    and a MeSH descriptor of its name.
    """
    lists = Lists.read(out)
    left_out = frozenset(list_file(out / "left_out.txt"))
    drugs = list(rows(source / "drugs" / "drugs.tsv.gz"))
    mesh_ids = MeshIds(source, ((row["mesh_id"], row["name"].strip()) for row in drugs if row["mesh_id"]))
    names: dict[str, set[str]] = defaultdict(set)
    for row in rows(source / "drugs" / "drug_names.tsv.gz"):
        variant = html.unescape(row["variant"])
        if row["variant"] not in left_out and not _MARKUP.search(variant):
            names[row["key"]].add(variant)
    concepts: list[Concept] = []
    for row in drugs:
        key, name = row["key"], row["name"].strip()
        mesh_id = mesh_ids.find(name)
        trees = row["mesh_tree"].split("|")
        if row["drugbank_id"]:
            system, code = "DRUGBANK", row["drugbank_id"]
        elif mesh_id and (row["medlineplus_id"] or any(tree.startswith(DRUG_BRANCHES) for tree in trees)):
            system, code = "MESH", mesh_id
        elif row["medlineplus_id"]:
            system, code = "MEDLINEPLUS", row["medlineplus_id"]
        else:
            continue
        terms = names.pop(key, set())
        if name and "(" not in name and key not in left_out:
            terms.add(name)
        forms = lists.forms_of(terms, name)
        flags = "a" if fold(name) in lists.measured or lists.measured & set(forms) else ""
        concepts.append(Concept(system=system, code=code, display=name or key, forms=forms, flags=flags))
    lists.check_used(concept.display for concept in concepts)
    concepts.sort(key=lambda concept: (concept.system, concept.code))
    _write(out, "vocabulary-drugs", concepts)


def build_diseases(source: Path, out: Path) -> None:
    """``vocabulary-diseases``: MeSH diseases and mental disorders, then what the Disease Ontology adds.

    Concepts are taken by name: the identifiers in the table of entry terms are
    not reliable. A MeSH code comes from the descriptor of that name or from a
    Disease Ontology concept of that name; terms of other names are left out.
    """
    lists = Lists.read(out)
    table = list(rows(source / "mesh" / "disease_synonyms.tsv.gz"))
    mesh_ids = MeshIds(source, ((row["mesh_id"], row["name"]) for row in table))
    doid_names: dict[str, str] = {}
    doid_terms: dict[str, set[str]] = defaultdict(set)
    for row in rows(source / "doid" / "HumanDO.tsv.gz"):
        if row.get("label"):
            doid_names[row["id"]] = row["label"]
            doid_terms[row["id"]].add(row["label"])
    for path in sorted((source / "doid").glob("*.obo.gz")):
        for code, name in _obo_synonyms(path):
            if code in doid_terms:
                doid_terms[code].add(name)
    to_mesh: dict[str, str] = {}
    for row in rows(source / "doid" / "MESHinDO.tsv.gz"):
        to_mesh.setdefault(row["id"], row["xrefs"].removeprefix("MESH:"))
        mesh_ids.add(row["label"], row["xrefs"].removeprefix("MESH:"))
    terms: dict[str, set[str]] = defaultdict(set)
    displays: dict[str, str] = {}
    for row in table:
        mesh_id = mesh_ids.find(row["name"])
        if mesh_id and any(tree.startswith(DISEASE_BRANCHES) for tree in row["tree_numbers"].split("|")):
            displays.setdefault(mesh_id, row["name"])
            terms[mesh_id] |= {row["name"], row["synonym"]}
    for code, found in sorted(doid_terms.items()):
        mesh = to_mesh.get(code, "")
        if mesh not in displays:
            displays[code] = doid_names[code]
        terms[mesh if mesh in displays else code] |= found
    concepts = [
        Concept(
            system="DOID" if code.startswith("DOID:") else "MESH",
            code=code.removeprefix("DOID:"),
            display=displays[code],
            forms=lists.forms_of(found, displays[code]),
        )
        for code, found in sorted(terms.items(), key=lambda item: (item[0].startswith("DOID:"), item[0]))
    ]
    _write(out, "vocabulary-diseases", concepts)


class MeshIds:
    """MeSH descriptor ids by name.

    The identifiers in the tables of names are wrong for one concept in four
    (checked against the descriptors), so a name decides. For names younger than
    the list of descriptors the table's identifier is taken when the list does
    not know it and no other name of the table has it, or when the list knows it
    under an earlier name that the table lacks and that shares half of the words.
    """

    def __init__(self, source: Path, offered: Iterable[tuple[str, str]]) -> None:
        self._ids: dict[str, str] = {}
        listed: dict[str, str] = {}
        for row in rows(source / "mesh" / "descriptors.tsv.gz"):
            self._ids[row["mesh_name"].lower()] = row["mesh_id"]
            listed[row["mesh_id"]] = row["mesh_name"].lower()
        names: dict[str, set[str]] = defaultdict(set)
        for mesh_id, name in offered:
            names[mesh_id.removeprefix("MESH:")].add(name.lower())
        table = {name for found in names.values() for name in found}
        for mesh_id, found in names.items():
            earlier = listed.get(mesh_id)
            for name in sorted(found - self._ids.keys()):
                if (earlier is None and len(found) == 1) or (
                    earlier is not None and earlier not in table and _alike(earlier, name)
                ):
                    self._ids.setdefault(name, mesh_id)

    def add(self, name: str, mesh_id: str) -> None:
        """Take the id of a name from another source, unless it is known."""
        self._ids.setdefault(name.lower(), mesh_id)

    def find(self, name: str) -> str | None:
        """The id of the descriptor of a name in any case."""
        return self._ids.get(name.lower())


def _alike(one: str, other: str) -> bool:
    left, right = set(fold(one).split()), set(fold(other).split())
    return 2 * len(left & right) >= min(len(left), len(right)) and bool(left & right)


def _obo_synonyms(path: Path) -> Iterator[tuple[str, str]]:
    """(id, synonym) of each exact synonym of an OBO file."""
    code = ""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        for line in stream:
            if line.startswith("id: "):
                code = line[4:].strip()
            elif (exact := re.match(r'synonym: "((?:[^"\\]|\\.)+)" EXACT', line)) is not None:
                yield code, exact.group(1).replace('\\"', '"')


def _write(out: Path, name: str, concepts: list[Concept]) -> None:
    about = {key: value for key, _, value in (line.partition(": ") for line in list_file(out / "about.txt"))}
    extra_files = {
        path.name: path.read_bytes() for path in sorted(out.glob("*.t*")) if path.suffix in {".txt", ".tsv"}
    }
    build_pack(
        concepts,
        folder=out,
        name=name,
        version=out.name,
        licence=about["licence"],
        source=about["source"],
        extra_files=extra_files,
    )


PACKS: Mapping[str, Callable[[Path, Path], None]] = {
    "vocabulary-drugs": build_drugs,
    "vocabulary-diseases": build_diseases,
}


def main() -> None:
    """``python -m extractor.vocabulary_sources NAME --source DIR --out DIR``: rebuild a pack."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m extractor.vocabulary_sources")
    parser.add_argument("name", choices=sorted(PACKS))
    parser.add_argument("--source", type=Path, required=True, help="folder with the terminology files")
    parser.add_argument("--out", type=Path, required=True, help="folder of the pack, with its list files")
    chosen = parser.parse_args()
    PACKS[chosen.name](chosen.source, chosen.out)


if __name__ == "__main__":
    main()
