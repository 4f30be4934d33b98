"""Candidates of a mention and the features that the ranker weighs.

A mention's own key, its long form where the document defines one, its variants
and parts are looked up exactly; where that gives too little, near names by
3-grams follow. A concept's features take the best of its names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from extractor.knowledge.base import KnowledgeBase
from extractor.knowledge.merge import PREFERRED
from extractor.knowledge.pack import Lexicon
from extractor.knowledge.short_forms import Mention, explained
from extractor.knowledge.terms import GROUP_BIT, name_key
from extractor.knowledge.variants import PART, RELAXED, REWORDED, parts, variants

LEARNED = 2
"""The kind of a name that comes from annotated text (beside ``merge.PREFERRED`` and ``SYNONYM``)."""

LABEL_GROUPS: Mapping[str, int] = {
    "disease": GROUP_BIT["disorder"] | GROUP_BIT["finding"],
    "sign_symptom": GROUP_BIT["disorder"] | GROUP_BIT["finding"],
    "adverse_effect": GROUP_BIT["disorder"] | GROUP_BIT["finding"],
    "drug": GROUP_BIT["chemical"],
    "anatomy": GROUP_BIT["anatomy"],
    "diagnostic_procedure": GROUP_BIT["procedure"] | GROUP_BIT["laboratory"],
    "therapeutic_procedure": GROUP_BIT["procedure"],
    "lab_test": GROUP_BIT["laboratory"] | GROUP_BIT["procedure"] | GROUP_BIT["chemical"],
    "species": GROUP_BIT["organism"],
}
"""Which groups a label's concepts come from; other labels are not linked."""

FEATURES = (
    "bias",
    "exact", "exact_long", REWORDED, RELAXED, PART, "preferred",
    "cosine", "cosine_cubed", "words", "same_words", "same_head", "other_numbers",
    "learned", "learned_short", "learned_reworded", "learned_relaxed", "learned_part",
    "learned_share", "learned_near", "often",
    "mesh", "omim", "doid", "icd10cm", "drugbank", "finding",
    "context", "context_trees", "short", "long_defined", "rivals",
    "whole_of_composite", "exact_learned_not", "exact_finding", "preferred_mesh", "fuzzy_short", "learned_only",
)  # fmt: skip

_NAMED_APART = GROUP_BIT["disorder"] | GROUP_BIT["finding"] | GROUP_BIT["chemical"]
"""Groups whose concepts a mention of another label never means, whatever annotated text says."""

_PLACE = {feature: place for place, feature in enumerate(FEATURES)}
_NEAR = 48
_MOST = 48


@dataclass(slots=True)
class Context:
    """What the document says beside the mention.

    ``long_forms`` maps short forms as written to long forms; ``support`` counts,
    for each concept row, the other mention keys that are exactly a name of it;
    ``hidden`` is what a lexicon must forget (the document's own annotations
    while learning).
    """

    long_forms: Mapping[str, str] = field(default_factory=dict)
    support: Mapping[int, frozenset[str]] = field(default_factory=dict)
    trees: Mapping[str, frozenset[str]] = field(default_factory=dict)
    hidden: Lexicon = field(default_factory=dict)

    def long_form(self, mention: str) -> str | None:
        """The long form of a mention, with or without a plural s."""
        return self.long_forms.get(mention) or self.long_forms.get(mention.removesuffix("s"))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A concept row with its features, in the order of :data:`FEATURES`."""

    row: int
    features: tuple[float, ...]


class Candidates:
    """Looks candidates up in one knowledge base."""

    def __init__(self, base: KnowledgeBase, *, learned: bool = True) -> None:
        self._base = base
        self._lexicon: Lexicon = base.lexicon if learned else {}
        self._often: Counter[str] = Counter()
        for codes in self._lexicon.values():
            for code, count in codes.items():
                self._often[code] += count

    def context(
        self,
        text: str,
        mentions: Sequence[Mention],
        *,
        defined: Mapping[str, str] | None = None,
        hidden: Lexicon | None = None,
    ) -> Context:
        """The context that the mentions of one document make for one another.

        ``defined`` are the abbreviations that ``text`` defines, short form to long form.
        """
        context = Context(long_forms=explained(text, mentions, defined or {}), hidden=hidden or {})
        support: dict[int, set[str]] = {}
        for mention, label in sorted({(each.text, each.label) for each in mentions}):
            groups = LABEL_GROUPS.get(label, 0)
            own = name_key(mention)
            for key in {own, name_key(context.long_form(mention) or "")}:
                for row, kind in self._base.named(key):
                    if kind != LEARNED and self._base.concept(row).groups & groups:
                        support.setdefault(row, set()).add(own)
        trees: dict[str, set[str]] = {}
        for row, keys in support.items():
            for tree in self._base.concept(row).trees:
                for branch in (tree, tree.rpartition(".")[0]):
                    if branch:
                        trees.setdefault(branch, set()).update(keys)
        context.support = {row: frozenset(keys) for row, keys in support.items()}
        context.trees = {tree: frozenset(keys) for tree, keys in trees.items()}
        return context

    def usual_code(self, row: int, context: Context, systems: Sequence[str]) -> str:
        """The code of a concept that annotated text uses most, else that of the first of ``systems`` it has.

        ``MESH:D`` and the like name the beginning of a code; without any the naming source's code is given.
        """
        codes = self._base.concept(row).codes
        if len(codes) == 1:
            return codes[0]
        counts = {code: self._often[code] - _hidden_count((code,), context) for code in codes}
        usual = max(codes, key=lambda code: counts[code])  # the first of the most frequent
        if counts[usual] > 0:
            return usual
        for system in systems:
            start = system if ":" in system else f"{system}:"
            for code in codes:
                if code.startswith(start):
                    return code
        return codes[0]

    def of(self, mention: str, label: str, context: Context) -> list[Candidate]:
        """Up to some thirty candidates, by row; none for a label that is not linked or an empty mention."""
        groups = LABEL_GROUPS.get(label, 0)
        key = name_key(mention)
        if not groups or not key:
            return []
        long_key = name_key(context.long_form(mention) or "")
        found = _Found(self._base, groups)
        self._add_exact(found, key, "exact")
        self._add_exact(found, long_key, "exact_long")
        self._add_learned(found, key, "learned_short" if long_key else "learned", context)
        self._add_learned(found, long_key, "learned", context)
        long_or_own = long_key or key
        for other, kind in variants(long_or_own):
            self._add_exact(found, other, kind)
            self._add_learned(found, other, f"learned_{kind}", context)
        composite = parts(context.long_form(mention) or mention)
        for part in composite:
            self._add_exact(found, part, PART)
            self._add_learned(found, part, f"learned_{PART}", context)
        self._add_near(found, long_or_own, context, certain=found.certain())
        return found.candidates(
            Asked(key, long_or_own, defined=bool(long_key), composite=bool(composite)), context, self._often
        )

    def _add_exact(self, found: _Found, key: str, feature: str) -> None:
        for row, kind in self._base.named(key):
            if kind != LEARNED:
                found.set(row, feature)
                if kind == PREFERRED and feature.startswith("exact"):
                    found.set(row, "preferred")

    def _add_learned(self, found: _Found, key: str, feature: str, context: Context) -> None:
        counts = self._learned(key, context)
        total = sum(counts.values())
        for code, count in counts.items():
            known = self._base.with_code(code)
            if known is None:
                continue
            if feature == "learned":
                found.set(known, "learned", any_group=True)
                found.best(known, "learned_share", count / (total + 0.5))
            else:
                found.best(known, feature, count / (total + 0.5))

    def _add_near(self, found: _Found, key: str, context: Context, *, certain: bool) -> None:
        words = frozenset(key.split())
        numbers = {word for word in words if word.isdigit()}
        head = key.rpartition(" ")[2]
        for near in self._base.near(key, 8 if certain else _NEAR):
            own = frozenset(near.key.split())
            for row, kind in self._base.owners(near.row):
                if kind == LEARNED:
                    if self._still_learned(near.key, row, context):
                        found.best(row, "learned_near", near.cosine)
                    continue
                found.best(row, "cosine", near.cosine)
                found.best(row, "words", len(words & own) / len(words | own))
                if words == own:
                    found.set(row, "same_words")
                if head == near.key.rpartition(" ")[2]:
                    found.set(row, "same_head")
                if numbers == {word for word in own if word.isdigit()}:
                    found.set(row, "other_numbers", -1.0)

    def _learned(self, key: str, context: Context) -> dict[str, int]:
        hidden = context.hidden.get(key, {})
        counts = {code: count - hidden.get(code, 0) for code, count in self._lexicon.get(key, {}).items()}
        return {code: count for code, count in counts.items() if count > 0}

    def _still_learned(self, key: str, row: int, context: Context) -> bool:
        own = self._base.concept(row).codes
        return any(code in own for code in self._learned(key, context))


@dataclass(frozen=True, slots=True)
class Asked:
    """What was looked up: the mention's key, the key of its long form or again its own, and what it is."""

    key: str
    looked_up: str
    defined: bool
    composite: bool


class _Found:
    """Features of the rows found so far."""

    def __init__(self, base: KnowledgeBase, groups: int) -> None:
        self._base = base
        self._groups = groups
        self._features: dict[int, list[float]] = {}

    def set(self, row: int, feature: str, value: float = 1.0, *, any_group: bool = False) -> None:
        features = self._row(row, any_group=any_group)
        if features is not None:
            features[_PLACE[feature]] = value

    def best(self, row: int, feature: str, value: float) -> None:
        features = self._row(row)
        if features is not None:
            features[_PLACE[feature]] = max(value, features[_PLACE[feature]])

    def certain(self) -> bool:
        """Whether some row has the mention or its long form as a name."""
        places = (_PLACE["exact"], _PLACE["exact_long"], _PLACE["learned"])
        return any(features[place] for features in self._features.values() for place in places)

    def candidates(self, asked: Asked, context: Context, often: Counter[str]) -> list[Candidate]:
        """The rows with the features that do not hang on a name added."""
        strongest = sorted(self._features, key=lambda row: (-_strength(self._features[row]), row))[:_MOST]
        rivals = sum(
            bool(self._features[row][_PLACE["exact"]] or self._features[row][_PLACE["exact_long"]])
            for row in strongest
        )
        learned = any(self._features[row][_PLACE["learned"]] for row in strongest)
        made = []
        for row in sorted(strongest):
            features = self._features[row]
            concept = self._base.concept(row)
            put = features.__setitem__
            if features[_PLACE["exact"]] or features[_PLACE["exact_long"]]:
                put(_PLACE["cosine"], 1.0)
                put(_PLACE["words"], 1.0)
                put(_PLACE["same_words"], 1.0)
                put(_PLACE["same_head"], 1.0)
                put(_PLACE["rivals"], float(min(rivals, 4) > 1))
            put(_PLACE["cosine_cubed"], features[_PLACE["cosine"]] ** 3)
            systems = {code.partition(":")[0] for code in concept.codes}
            for system in ("mesh", "omim", "doid", "icd10cm", "drugbank"):
                put(_PLACE[system], float(system.upper() in systems))
            put(_PLACE["finding"], float(not concept.groups & GROUP_BIT["disorder"]))
            count = sum(often[code] for code in concept.codes) - _hidden_count(concept.codes, context)
            put(_PLACE["often"], min(count, 50) / 50 if count < 8 else 0.2 + min(count, 400) / 500)
            others = {asked.key, asked.looked_up}
            put(_PLACE["context"], float(bool(context.support.get(row, frozenset()) - others)))
            put(
                _PLACE["context_trees"],
                float(any(context.trees.get(tree, frozenset()) - others for tree in concept.trees)),
            )
            put(_PLACE["short"], float(len(asked.looked_up) <= 4 and not asked.defined))
            put(_PLACE["long_defined"], float(asked.defined and bool(features[_PLACE["exact"]])))
            exact = max(features[_PLACE["exact"]], features[_PLACE["exact_long"]])
            part = max(features[_PLACE[PART]], features[_PLACE[f"learned_{PART}"]])
            put(_PLACE["whole_of_composite"], float(asked.composite and not part))
            put(_PLACE["exact_learned_not"], exact * float(learned and not features[_PLACE["learned"]]))
            put(_PLACE["exact_finding"], exact * features[_PLACE["finding"]])
            put(_PLACE["preferred_mesh"], features[_PLACE["preferred"]] * features[_PLACE["mesh"]])
            put(_PLACE["fuzzy_short"], (1.0 - exact) * float(len(asked.looked_up) <= 5))
            put(_PLACE["learned_only"], features[_PLACE["learned"]] * (1.0 - exact))
            made.append(Candidate(row, tuple(features)))
        return made

    def _row(self, row: int, *, any_group: bool = False) -> list[float] | None:
        features = self._features.get(row)
        if features is None:
            groups = self._base.concept(row).groups
            if not groups & self._groups and not (any_group and not groups & _NAMED_APART):
                return None
            features = [0.0] * len(FEATURES)
            features[0] = 1.0
            self._features[row] = features
        return features


def _strength(features: Sequence[float]) -> float:
    weighed = {"exact": 3.0, "exact_long": 3.0, REWORDED: 1.0, RELAXED: 0.6, PART: 0.7, "preferred": 0.3}
    weighed |= {
        "cosine": 1.0,
        "learned": 2.0,
        "learned_share": 2.0,
        "learned_near": 1.0,
        "learned_short": 1.5,
    }
    weighed |= {f"learned_{REWORDED}": 1.0, f"learned_{RELAXED}": 0.6, f"learned_{PART}": 0.7}
    return sum(weight * features[_PLACE[feature]] for feature, weight in weighed.items())


def _hidden_count(codes: Iterable[str], context: Context) -> int:
    own = frozenset(codes)
    return sum(count for counts in context.hidden.values() for code, count in counts.items() if code in own)
