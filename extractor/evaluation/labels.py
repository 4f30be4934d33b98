"""Label maps: which types of a corpus are evaluated, and which of our labels count as them.

A map is a YAML file; ``configs/labels/`` has one per known corpus::

    corpus: bc5cdr
    types:
      Chemical: [drug]                          # gold type of the same name <- our labels
      Disease: {gold: [Disease], ours: [disease, sign_symptom]}
    relations:
      CID: {ours: [chemical_induced_disease], compare: concepts}

The first of our labels is the one that a gold mention carries when it is given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, NoReturn

import yaml

from extractor.errors import ConfigError
from extractor.gold import GoldDocument
from extractor.ner.labels import TYPES
from extractor.relators.kinds import CHEMICAL_DISEASE, SENTENCE_KINDS
from extractor.resources import folder

Unit = Literal["mention", "term"]
Compare = Literal["mentions", "concepts"]

LABELS = frozenset(TYPES) | {
    "abbreviation", "date", "document_no", "dose", "email", "frequency", "identifier", "lot_no", "measurement",
    "phone", "route", "time", "url",
}  # fmt: skip
"""Labels of the shipped extractors; those that settings name are known as well."""
RELATIONS = frozenset(SENTENCE_KINDS) | {CHEMICAL_DISEASE.label}
"""Labels of the shipped relators."""
_KEYS = ("corpus", "note", "unit", "alternatives", "types", "relations")
_TYPE_KEYS = ("gold", "ours")
_RELATION_KEYS = ("gold", "ours", "compare", "reversed")


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationRule:
    """How one evaluated relation is compared.

    ``compare`` is ``mentions`` (both arguments are the same mentions) or
    ``concepts`` (the document states the same pair of concepts). ``reversed``:
    the corpus's first argument is our tail.
    """

    ours: tuple[str, ...]
    compare: Compare = "mentions"
    reversed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelMap:
    """From gold types and from our labels to evaluated types; what it does not name is left out.

    ``given`` is the label of ours that a gold mention of an evaluated type gets
    when it is given. ``unit`` is ``term`` where a corpus annotates one instance
    of each distinct term: then texts count, not places. ``alternatives``:
    overlapping gold mentions of a type are other readings of the same one.
    """

    name: str
    gold: Mapping[str, str]
    ours: Mapping[str, str]
    given: Mapping[str, str]
    relations: Mapping[str, RelationRule] = field(default_factory=dict)
    gold_relations: Mapping[str, str] = field(default_factory=dict)
    unit: Unit = "mention"
    alternatives: bool = False
    note: str = ""

    @property
    def types(self) -> list[str]:
        """The evaluated types, in the order of the map."""
        return list(self.given)

    def our_relation(self, label: str) -> str | None:
        """The evaluated relation that our label counts as."""
        return next((name for name, rule in self.relations.items() if label in rule.ours), None)


def equal_names(documents: Iterable[GoldDocument]) -> LabelMap:
    """The map where no file gives one: a gold type is our label of the same name."""
    types: dict[str, str] = {}
    relations: dict[str, str] = {}
    for document in documents:
        types.update({entity.type: entity.type for entity in document.entities})
        types.update({mention.type: mention.type for mention in document.failed})
        relations.update({relation.type: relation.type for relation in document.relations})
    return LabelMap(
        name="equal names",
        gold=dict(sorted(types.items())),
        ours=dict(sorted(types.items())),
        given=dict(sorted(types.items())),
        relations={name: RelationRule(ours=(name,)) for name in sorted(relations)},
        gold_relations=dict(sorted(relations.items())),
    )


def shipped_maps() -> dict[str, Path]:
    """The maps of ``configs/labels/`` by corpus."""
    return {path.stem: path for path in sorted((folder("configs") / "labels").glob("*.yaml"))}


def shipped_map_of(files: Sequence[Path]) -> Path | None:
    """The shipped map of the corpus that these gold files belong to.

    The corpus is the name of the file's folder, or what the file's name begins with.

    Raises:
        ConfigError: the files belong to several corpora.
    """
    maps = shipped_maps()
    corpora = {_corpus_of(path, maps) for path in files}
    if len(corpora) > 1:
        named = ", ".join(sorted(corpus or "none" for corpus in corpora))
        raise ConfigError(
            f"the gold files belong to several corpora ({named})",
            hint="You: evaluate them one by one, or say with --labels which map holds for all.",
        )
    (corpus,) = corpora or {None}
    return maps[corpus] if corpus else None


def _corpus_of(path: Path, maps: Collection[str]) -> str | None:
    if path.resolve().parent.name in maps:
        return path.resolve().parent.name
    stem = path.name.split(".")[0]
    fitting = [name for name in maps if stem == name or stem.startswith((f"{name}_", f"{name}-"))]
    return max(fitting, key=len, default=None)


def load_label_map(path: str | Path, *, known: Collection[str] = ()) -> LabelMap:
    """The map of a file, or of a shipped corpus by its name.

    ``known`` are labels that exist beside those of the shipped extractors and relators.

    Raises:
        ConfigError: no such file, no YAML, an unknown key or label, or a type twice; with the nearest names.
    """
    maps = shipped_maps()
    where = maps.get(str(path)) or Path(path)
    try:
        found = _Strict(where.read_text(encoding="utf-8")).get_single_data()
    except FileNotFoundError:
        raise ConfigError(f"there is no label map {where.name}{_near(where.stem, maps)}") from None
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"the label map {where.name} cannot be read") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        problem = error.problem if isinstance(error, _TwiceError) else "it is no valid YAML"
        raise ConfigError(f"the label map {where.name}{line}: {problem}") from None
    return _Parser(where.stem, LABELS | set(known), RELATIONS | set(known)).parse(found)


class _TwiceError(yaml.MarkedYAMLError):
    """A key stands twice."""


class _Strict(yaml.SafeLoader):
    """YAML that refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise _TwiceError(problem=f"{key.value!r} is given twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


class _Parser:
    """Checks the parts of a map; ``name`` is how messages call it."""

    def __init__(self, name: str, labels: Collection[str], relations: Collection[str]) -> None:
        self._name = name
        self._labels = labels
        self._relation_labels = relations

    def parse(self, found: Any) -> LabelMap:
        fields = self._section(found, _KEYS, "the map")
        types = fields.get("types")
        if not isinstance(types, dict) or not types:
            self._refuse("has no types")
        gold: dict[str, str] = {}
        ours: dict[str, str] = {}
        given: dict[str, str] = {}
        for kind, value in types.items():
            names, labels = self._pair(str(kind), value, _TYPE_KEYS)
            self._check(labels, self._labels, str(kind))
            self._take(gold, names, str(kind), "the gold type")
            self._take(ours, labels, str(kind), "the label")
            given[str(kind)] = labels[0]
        relations, gold_relations = self._relations(fields.get("relations") or {})
        return LabelMap(
            name=str(fields.get("corpus") or self._name),
            gold=gold,
            ours=ours,
            given=given,
            relations=relations,
            gold_relations=gold_relations,
            unit=self._choice(fields, "unit", ("mention", "term")),
            alternatives=self._flag(fields, "alternatives"),
            note=" ".join(str(fields.get("note") or "").split()),
        )

    def _relations(self, found: Any) -> tuple[dict[str, RelationRule], dict[str, str]]:
        if not isinstance(found, dict):
            self._refuse("relations must be names, each with our labels")
        rules: dict[str, RelationRule] = {}
        gold: dict[str, str] = {}
        taken: dict[str, str] = {}
        for kind, value in found.items():
            names, labels = self._pair(str(kind), value, _RELATION_KEYS)
            self._check(labels, self._relation_labels, str(kind))
            self._take(gold, names, str(kind), "the gold relation")
            self._take(taken, labels, str(kind), "the relation label")
            options = value if isinstance(value, dict) else {}
            rules[str(kind)] = RelationRule(
                ours=tuple(labels),
                compare=self._choice(options, "compare", ("mentions", "concepts")),
                reversed=self._flag(options, "reversed"),
            )
        return rules, gold

    def _pair(self, kind: str, value: Any, keys: Sequence[str]) -> tuple[list[str], list[str]]:
        fields = self._section({"ours": value} if isinstance(value, list) else value, keys, kind)
        return self._names(fields.get("gold", [kind]), kind), self._names(fields.get("ours"), kind)

    def _section(self, found: Any, keys: Sequence[str], where: str) -> dict[str, Any]:
        if not isinstance(found, dict):
            self._refuse(f"{where} must hold keys ({', '.join(keys)})")
        for key in found:
            if key not in keys:
                self._refuse(f"{where}: unknown key {str(key)!r}{_near(str(key), keys)}")
        return found

    def _names(self, found: Any, where: str) -> list[str]:
        if not isinstance(found, list) or not found or not all(isinstance(each, str) for each in found):
            self._refuse(f"{where} needs a list of names")
        return found

    def _check(self, labels: Iterable[str], known: Collection[str], kind: str) -> None:
        for label in labels:
            if label not in known:
                self._refuse(f"{kind}: unknown label {label!r}{_near(label, known)}")

    def _take(self, taken: dict[str, str], names: Iterable[str], kind: str, what: str) -> None:
        for name in names:
            if name in taken:
                self._refuse(f"{what} {name!r} is given twice, for {taken[name]} and for {kind}")
            taken[name] = kind

    def _choice(self, fields: Mapping[str, Any], key: str, allowed: Sequence[str]) -> Any:
        value = fields.get(key, allowed[0])
        if value not in allowed:
            self._refuse(f"{key} is {value!r}{_near(str(value), allowed)}")
        return value

    def _flag(self, fields: Mapping[str, Any], key: str) -> bool:
        value = fields.get(key, False)
        if not isinstance(value, bool):
            self._refuse(f"{key} must be true or false")
        return value

    def _refuse(self, what: str) -> NoReturn:
        raise ConfigError(f"label map {self._name}: {what}")


def _near(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(names)}"
