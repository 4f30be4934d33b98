"""Licensed releases in their publishers' layouts: RxNorm, UMLS, SNOMED CT, MedDRA, LOINC.

Nothing of them ships with the engine; who holds a licence points the build at
the files as they were delivered. Every loader reads line by line. A line that
does not fit the layout stops the build with the kind of file and its number.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from extractor.errors import ConfigError
from extractor.knowledge.terms import Term

_CONSO_FIELDS, _STY_FIELDS = 18, 6
_CUI, _LAT, _TS, _ISPREF, _SAB, _TTY, _CODE, _STR, _SUPPRESS = 0, 1, 2, 6, 11, 12, 13, 14, 16
_RXNORM_TYPES = frozenset(("IN", "PIN", "MIN", "BN", "SCD", "SBD", "PSN", "SY", "TMSY", "MH", "PT", "PM"))
_SAME_SYSTEMS = {
    "MSH": "MESH",
    "OMIM": "OMIM",
    "ICD10CM": "ICD10CM",
    "SNOMEDCT_US": "SNOMEDCT",
    "RXNORM": "RXNORM",
    "DRUGBANK": "DRUGBANK",
    "LNC": "LOINC",
}
_FSN, _SYNONYM = "900000000000003001", "900000000000013009"
_TAG = re.compile(r"^(.*\S)\s+\(([^()]+)\)$")
_TAG_GROUPS = {
    "disorder": ("disorder",),
    "finding": ("disorder", "finding"),
    "morphologic abnormality": ("disorder",),
    "event": ("finding",),
    "procedure": ("procedure",),
    "regime/therapy": ("procedure",),
    "observable entity": ("laboratory",),
    "body structure": ("anatomy",),
    "cell structure": ("anatomy",),
    "organism": ("organism",),
    "substance": ("chemical",),
    "product": ("chemical",),
    "medicinal product": ("chemical",),
    "medicinal product form": ("chemical",),
    "clinical drug": ("chemical",),
}
_TYPES_OF_GROUPS = (
    (("disorder",), "T019 T020 T037 T046 T047 T048 T049 T050 T190 T191"),
    (("disorder", "finding"), "T033 T184"),
    (("laboratory",), "T034 T059 T201"),
    (("procedure",), "T058 T060 T061 T063 T065"),
    (("anatomy",), "T017 T021 T022 T023 T024 T025 T026 T029 T030 T031"),
    (
        ("chemical",),
        "T103 T104 T109 T110 T111 T114 T115 T116 T118 T119 T120 T121 T122 T123 T124 T125 T126 T127 T129 T130 T131",
    ),
    (("chemical",), "T195 T196 T197 T200"),
    (("organism",), "T001 T002 T004 T005 T007 T008 T010 T011 T012 T013 T014 T015 T016 T194 T204"),
)
_TYPE_GROUPS = {number: groups for groups, numbers in _TYPES_OF_GROUPS for number in numbers.split()}
"""UMLS semantic types; types without a group are ``other``."""


def rxnorm(path: Path) -> Iterator[Term]:
    """RxNorm: ``RXNCONSO.RRF``, English names that are not suppressed, one concept per RXCUI.

    MeSH and DrugBank numbers of the same RXCUI are given as the same.
    """
    for cui, lines in groupby(_rrf(path, "RXNCONSO.RRF", _CONSO_FIELDS), key=itemgetter(_CUI)):
        names: list[tuple[bool, str]] = []
        same: set[tuple[str, str]] = set()
        for fields in lines:
            if fields[_SUPPRESS] in {"O", "Y", "E"} or fields[_LAT] != "ENG":
                continue
            own = fields[_SAB] == "RXNORM"
            if fields[_TTY] in _RXNORM_TYPES:
                names.append((not (own and fields[_TTY] not in {"SY", "TMSY", "PSN"}), fields[_STR]))
            if not own and fields[_SAB] in _SAME_SYSTEMS and fields[_CODE]:
                same.add((_SAME_SYSTEMS[fields[_SAB]], fields[_CODE]))
        made = _term("RXNORM", cui, names, groups=("chemical",), same=same)
        if made is not None:
            yield made


def umls(folder: Path) -> Iterator[Term]:
    """UMLS Metathesaurus: ``MRCONSO.RRF`` beside ``MRSTY.RRF``, both sorted by CUI as delivered.

    English names that are not suppressed; the semantic types give the groups;
    codes of MeSH, OMIM, ICD-10-CM, SNOMED CT, RxNorm and LOINC are given as the same.
    """
    types = _types(folder / "MRSTY.RRF")
    waiting = next(types, None)
    last = ""
    grouped = groupby(_rrf(folder / "MRCONSO.RRF", "MRCONSO.RRF", _CONSO_FIELDS), key=itemgetter(_CUI))
    for cui, lines in grouped:
        if cui < last:
            raise ConfigError("MRCONSO.RRF is not sorted by CUI")
        last = cui
        while waiting is not None and waiting[0] < cui:
            waiting = next(types, None)
        groups = waiting[1] if waiting is not None and waiting[0] == cui else ("other",)
        names: list[tuple[bool, str]] = []
        same: set[tuple[str, str]] = set()
        for fields in lines:
            if fields[_SUPPRESS] in {"O", "Y", "E"} or fields[_LAT] != "ENG":
                continue
            names.append((not (fields[_TS] == "P" and fields[_ISPREF] == "Y"), fields[_STR]))
            if fields[_SAB] in _SAME_SYSTEMS and fields[_CODE] not in {"", "NOCODE"}:
                same.add((_SAME_SYSTEMS[fields[_SAB]], fields[_CODE]))
        made = _term("UMLS", cui, names, groups=groups, same=same)
        if made is not None:
            yield made


def snomedct(folder: Path) -> Iterator[Term]:
    """SNOMED CT RF2 snapshot: ``sct2_Concept_Snapshot*`` and ``sct2_Description_Snapshot-en*`` below ``folder``.

    Active concepts and descriptions; the fully specified name gives the name and,
    by its semantic tag, the group. One term comes per description.
    """
    concepts = _one(folder, "sct2_Concept_Snapshot*.txt")
    descriptions = _one(folder, "sct2_Description_Snapshot-en*.txt")
    active = {fields[0] for fields in _tabbed(concepts, "RF2 concept snapshot", 5) if fields[2] == "1"}
    named: dict[str, tuple[str, tuple[str, ...]]] = {}
    for fields in _tabbed(descriptions, "RF2 description snapshot", 9):
        if fields[2] == "1" and fields[6] == _FSN and fields[4] in active:
            found = _TAG.match(fields[7])
            name, tag = (found.group(1), found.group(2)) if found else (fields[7], "")
            named[fields[4]] = (name, _TAG_GROUPS.get(tag, ("other",)))
    for fields in _tabbed(descriptions, "RF2 description snapshot", 9):
        if fields[2] == "1" and fields[6] in {_FSN, _SYNONYM} and fields[4] in named:
            name, groups = named[fields[4]]
            synonyms = () if fields[6] == _FSN or fields[7] == name else (fields[7],)
            yield Term(system="SNOMEDCT", code=fields[4], name=name, synonyms=synonyms, groups=groups)


def meddra(folder: Path) -> Iterator[Term]:
    """MedDRA: ``pt.asc`` and ``llt.asc``; a concept is a preferred term, its lowest level terms are its names."""
    for fields in _dollars(folder / "pt.asc", "pt.asc", 4):
        yield Term(system="MEDDRA", code=fields[0], name=fields[1], groups=("disorder", "finding"))
    preferred = {fields[0]: fields[1] for fields in _dollars(folder / "pt.asc", "pt.asc", 4)}
    for number, fields in enumerate(_dollars(folder / "llt.asc", "llt.asc", 10), start=1):
        if fields[2] not in preferred:
            raise ConfigError(f"llt.asc: line {number} names a preferred term that pt.asc lacks")
        if fields[9] != "N" and fields[1] != preferred[fields[2]]:
            yield Term(
                system="MEDDRA",
                code=fields[2],
                name=preferred[fields[2]],
                synonyms=(fields[1],),
                groups=("disorder", "finding"),
            )


def loinc(path: Path) -> Iterator[Term]:
    """LOINC: ``Loinc.csv``; active codes by long common, short, display and consumer name."""
    needed = ("LOINC_NUM", "COMPONENT", "STATUS", "CLASSTYPE", "LONG_COMMON_NAME")
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            if any(column not in (reader.fieldnames or ()) for column in needed):
                raise ConfigError(f"Loinc.csv: line 1 lacks one of the columns {', '.join(needed)}")
            for row in reader:
                if None in row or any(row[column] is None for column in needed) or not row["LOINC_NUM"]:
                    raise ConfigError(f"Loinc.csv: line {reader.line_num} does not have the header's columns")
                if row["STATUS"] != "ACTIVE":
                    continue
                name = row["LONG_COMMON_NAME"] or row["COMPONENT"]
                others = {row.get(column) or "" for column in ("SHORTNAME", "DisplayName", "CONSUMER_NAME")}
                yield Term(
                    system="LOINC",
                    code=row["LOINC_NUM"],
                    name=name,
                    synonyms=tuple(sorted(others - {"", name})),
                    groups=("laboratory",) if row["CLASSTYPE"] == "1" else ("procedure", "laboratory"),
                )
    except csv.Error as error:
        raise ConfigError(f"Loinc.csv: line {reader.line_num} is not CSV") from error
    except UnicodeDecodeError as error:
        raise ConfigError("Loinc.csv: a line is not UTF-8") from error
    except OSError as error:
        raise ConfigError("Loinc.csv cannot be opened") from error


def _term(
    system: str,
    code: str,
    names: Sequence[tuple[bool, str]],
    *,
    groups: tuple[str, ...],
    same: set[tuple[str, str]],
) -> Term | None:
    if not names:
        return None
    name = min(names, key=itemgetter(0))[1]  # the first of the preferred ones
    synonyms = tuple(sorted({each for _, each in names} - {name}))
    return Term(
        system=system, code=code, name=name, synonyms=synonyms, groups=groups, same=tuple(sorted(same))
    )


def _types(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    last = ""
    for cui, lines in groupby(_rrf(path, "MRSTY.RRF", _STY_FIELDS), key=itemgetter(0)):
        if cui < last:
            raise ConfigError("MRSTY.RRF is not sorted by CUI")
        last = cui
        groups = {group for fields in lines for group in _TYPE_GROUPS.get(fields[1], ("other",))}
        yield cui, tuple(sorted(groups))


def _one(folder: Path, pattern: str) -> Path:
    found = sorted(folder.rglob(pattern))
    if len(found) != 1:
        raise ConfigError(f"the SNOMED CT folder holds {len(found)} files {pattern}, one is needed")
    return found[0]


def _rrf(path: Path, kind: str, count: int) -> Iterator[list[str]]:
    """The fields of each line; RRF ends every field with a bar."""
    for number, line in _lines(path, kind):
        fields = line.split("|")
        if len(fields) != count + 1 or fields[-1] or not fields[0]:
            raise ConfigError(f"{kind}: line {number} does not have {count} fields that each end with a bar")
        yield fields


def _tabbed(path: Path, kind: str, count: int) -> Iterator[list[str]]:
    for number, line in _lines(path, kind):
        fields = line.split("\t")
        if len(fields) != count or not fields[0]:
            raise ConfigError(f"{kind}: line {number} does not have {count} fields")
        if number > 1:
            yield fields
        elif fields[0] != "id":
            raise ConfigError(f"{kind}: line 1 is not the header")


def _dollars(path: Path, kind: str, count: int) -> Iterator[list[str]]:
    for number, line in _lines(path, kind):
        fields = line.split("$")
        if len(fields) < count or not (fields[0].isdigit() and fields[1]):
            raise ConfigError(f"{kind}: line {number} does not have code, name and {count} fields")
        yield fields


def _lines(path: Path, kind: str) -> Iterator[tuple[int, str]]:
    """Numbered lines without their ends; blank ones are left out."""
    number = 0
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                if text:
                    yield number, text
    except UnicodeDecodeError as error:
        raise ConfigError(f"{kind}: line {number} is not UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{kind} cannot be opened") from error
