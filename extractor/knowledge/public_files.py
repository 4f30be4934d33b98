"""Public vocabularies as tables and OBO files: MeSH, Disease Ontology, HPO, ICD-10-CM, drugs, CTCAE."""

from __future__ import annotations

import gzip
import html
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from extractor.errors import ConfigError
from extractor.knowledge.terms import Term, groups_of_trees
from extractor.resources import model_folder
from extractor.vocabulary_sources import DRUG_BRANCHES, MeshIds, list_file, rows

_MARKUP = re.compile(r"[<>{}\[\]=|&^\\]|https?:|\bother\b.{12}")
_SYNONYM = re.compile(r'synonym: "((?:[^"\\]|\\.)+)" (EXACT|NARROW|RELATED)')
_SYSTEMS = {
    "MIM": "OMIM",
    "OMIM": "OMIM",
    "MESH": "MESH",
    "MSH": "MESH",
    "UMLS_CUI": "UMLS",
    "UMLS": "UMLS",
    "ICD10CM": "ICD10CM",
    "SNOMEDCT_US": "SNOMEDCT",
    "NCI": "NCI",
}
_PARTED = ("encounter", "sequela", "perpetrator", "passenger", "occupant", "pedestrian", "collision")
"""Words of ICD-10-CM entries that say how an injury came about: no names of conditions."""


def mesh(folder: Path, *, other: bool = True) -> Iterator[Term]:
    """MeSH: ``descriptors.tsv.gz``, ``tree-numbers.tsv.gz`` and ``disease_synonyms.tsv.gz``.

    The identifiers in the table of entry terms are not reliable, so the name
    decides (see :class:`extractor.vocabulary_sources.MeshIds`). Without
    ``other`` descriptors outside diseases, substances, anatomy, organisms,
    procedures and findings are left out.
    """
    trees: dict[str, list[str]] = defaultdict(list)
    for row in _rows(folder / "tree-numbers.tsv.gz"):
        trees[row["mesh_id"]].append(row["mesh_tree_number"])
    names = {row["mesh_id"]: row["mesh_name"] for row in _rows(folder / "descriptors.tsv.gz")}
    table = list(_rows(folder / "disease_synonyms.tsv.gz"))
    ids = MeshIds(folder.parent, ((row["mesh_id"], row["name"]) for row in table))
    synonyms: dict[str, set[str]] = defaultdict(set)
    for row in table:
        mesh_id = ids.find(row["name"])
        if mesh_id is None:
            continue
        synonyms[mesh_id] |= {row["name"], row["synonym"]}
        names.setdefault(mesh_id, row["name"])
        if mesh_id not in trees:
            trees[mesh_id] = row["tree_numbers"].split("|")
    for mesh_id, name in sorted(names.items()):
        numbers = tuple(sorted(set(trees.get(mesh_id, ()))))
        groups = groups_of_trees(numbers)
        if groups == ("other",) and not other:
            continue
        yield Term(
            system="MESH",
            code=mesh_id,
            name=name,
            synonyms=tuple(sorted(synonyms[mesh_id] - {name})) if mesh_id in synonyms else (),
            groups=groups,
            trees=numbers,
        )


def doid(folder: Path) -> Iterator[Term]:
    """The Disease Ontology: ``HumanDO.tsv.gz``, ``allXREFinDO.tsv.gz`` and the synonyms of its OBO slims."""
    same: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for row in _rows(folder / "allXREFinDO.tsv.gz"):
        reference = _reference(row["xref"])
        if reference is not None:
            same[row["id"]].add(reference)
    synonyms: dict[str, set[str]] = defaultdict(set)
    for path in sorted(folder.glob("*.obo.gz")):
        for term in obo(path, system="DOID", groups=("disorder",)):
            synonyms[f"DOID:{term.code}"] |= set(term.synonyms)
    seen: set[str] = set()
    for row in _rows(folder / "HumanDO.tsv.gz"):
        if row.get("label") and row["id"] not in seen:
            seen.add(row["id"])
            yield Term(
                system="DOID",
                code=row["id"].removeprefix("DOID:"),
                name=row["label"],
                synonyms=tuple(sorted(synonyms[row["id"]] - {row["label"]})),
                groups=("disorder",),
                same=tuple(sorted(same[row["id"]])),
            )


def hpo(path: Path) -> Iterator[Term]:
    """The Human Phenotype Ontology: ``hp.obo.gz``, abnormalities with exact, narrow and related synonyms."""
    return obo(path, system="HP", groups=("disorder", "finding"), exact_only=False)


def obo(path: Path, *, system: str, groups: tuple[str, ...], exact_only: bool = True) -> Iterator[Term]:
    """The terms of an OBO 1.2 file, gzipped or not, one at a time; obsolete ones are left out."""
    code, name, obsolete = "", "", False
    synonyms: set[str] = set()
    same: set[tuple[str, str]] = set()

    def made() -> Iterator[Term]:
        if code and name and not obsolete and code.partition(":")[0] == system:
            yield Term(
                system=system,
                code=code.partition(":")[2],
                name=name,
                synonyms=tuple(sorted(synonyms - {name})),
                groups=groups,
                same=tuple(sorted(same)),
            )

    with _open(path) as stream:
        for line in stream:
            if line.startswith("["):
                yield from made()
                code, name, obsolete = "", "", False
                synonyms, same = set(), set()
                if not line.startswith("[Term]"):
                    obsolete = True
            elif line.startswith("id: "):
                code = line[4:].strip()
            elif line.startswith("name: "):
                name = line[6:].strip()
            elif line.startswith("is_obsolete: true"):
                obsolete = True
            elif (found := _SYNONYM.match(line)) is not None:
                if found.group(2) == "EXACT" or not exact_only:
                    synonyms.add(found.group(1).replace('\\"', '"'))
            elif line.startswith("xref: ") and (reference := _reference(line[6:].split()[0])) is not None:
                same.add(reference)
        yield from made()


def icd10cm(path: Path, *, longest: int = 9) -> Iterator[Term]:
    """ICD-10-CM: the tabular list as ``icd10cm.tsv.gz``.

    Entries of more than ``longest`` words, of circumstances (chapters V to Y) and
    of encounters are no names that a text uses and are left out.
    """
    for row in _rows(path):
        name = row["description"].split(" [")[0]
        if row["code"][:1] in "VWXYZ" or len(name.split()) > longest or any(w in name for w in _PARTED):
            continue
        inclusions = [term.strip() for term in row.get("inclusion_terms", "").split("|")]
        names = [re.sub(r",? (unspecified|NOS)$", "", term) for term in (name, *inclusions)]
        yield Term(
            system="ICD10CM",
            code=row["code"],
            name=name,
            synonyms=tuple(
                sorted({term for term in names if term and len(term.split()) <= longest} - {name})
            ),
            groups=("disorder", "finding") if row["code"][:1] == "R" else ("disorder",),
        )


def drugs(folder: Path) -> Iterator[Term]:
    """Drug names with DrugBank and MeSH ids: ``drugs.tsv.gz`` and ``drug_names.tsv.gz``.

    Names that only Wikipedia gave (``left_out.txt`` of the pack
    ``vocabulary-drugs``) are left out.
    """
    left_out = frozenset(list_file(model_folder("vocabulary-drugs") / "left_out.txt"))
    table = list(_rows(folder / "drugs.tsv.gz"))
    ids = MeshIds(folder.parent, ((row["mesh_id"], row["name"].strip()) for row in table if row["mesh_id"]))
    names: dict[str, set[str]] = defaultdict(set)
    for row in _rows(folder / "drug_names.tsv.gz"):
        variant = html.unescape(row["variant"])
        if row["variant"] not in left_out and not _MARKUP.search(variant):
            names[row["key"]].add(variant)
    for row in table:
        name = row["name"].strip() or row["key"]
        mesh_id = ids.find(name)
        listed = row["medlineplus_id"] or any(
            tree.startswith(DRUG_BRANCHES) for tree in row["mesh_tree"].split("|")
        )
        if row["drugbank_id"]:
            system, code = "DRUGBANK", row["drugbank_id"]
        elif mesh_id and listed:
            system, code = "MESH", mesh_id
        elif row["medlineplus_id"]:
            system, code = "MEDLINEPLUS", row["medlineplus_id"]
        else:
            continue
        same = (("MESH", mesh_id),) if mesh_id and system != "MESH" else ()
        yield Term(
            system=system,
            code=code,
            name=name,
            synonyms=tuple(sorted(names.pop(row["key"], set()) - {name})),
            groups=("chemical",),
            same=same,
        )


def ctcae(path: Path) -> Iterator[Term]:
    """CTCAE 5.0 terms as ``ctcae_v5.tsv``; the code is the MedDRA LLT code that the table gives."""
    for row in _rows(path):
        name = row["term"].strip()
        if "Other, specify" in name or not name:
            continue
        yield Term(system="CTCAE", code=row["meddra_llt"], name=name, groups=("disorder", "finding"))


def _reference(xref: str) -> tuple[str, str] | None:
    """An OBO cross reference as (system, code); None where the system is not kept or names a series."""
    prefix, _, code = xref.partition(":")
    system = _SYSTEMS.get(re.sub(r"_\d{4}_\d\d_\d\d$", "", prefix))
    if system is None or not code or (system == "OMIM" and not code.isdigit()):
        return None
    return system, code


def _open(path: Path) -> TextIO:
    try:
        if path.suffix == ".gz":
            return gzip.open(path, "rt", encoding="utf-8")
        return path.open(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"vocabulary file {path.name} cannot be opened") from error


def _rows(path: Path) -> Iterator[Mapping[str, str]]:
    if path.suffix == ".gz":
        try:
            yield from rows(path)
        except OSError as error:
            raise ConfigError(f"vocabulary file {path.name} cannot be opened") from error
        return
    with _open(path) as stream:
        header: list[str] = []
        for line in stream:
            cells = line.rstrip("\n").split("\t")
            if header:
                yield dict(zip(header, cells, strict=False))
            else:
                header = cells
