"""Links within a sentence or a table row, by small linear models over named features, and by rules.

Within a sentence each pair of mentions that fits a kind is scored by the model
of its family (:mod:`extractor.relators.pairs` has the features). Between the
cells of a table row, and for durations, rules decide.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from extractor.document import Document
from extractor.errors import ConfigError
from extractor.records import Entity, Relation
from extractor.relators.kinds import CAUSAL, SENTENCE_KINDS
from extractor.relators.pack import SENTENCE_PACK, Family, load_pack
from extractor.relators.pairs import sentence_pairs
from extractor.relators.rules import duration_links, table_links

VERSION = "1.0"

_Found = tuple[str, Entity, Entity, float | None, float | None]


class SentenceRelator:
    """Relations of :data:`~extractor.relators.kinds.SENTENCE_KINDS`.

    ``pack`` names a folder of models/. ``kinds`` are the labels to look for,
    all by default. ``minimum_probability`` replaces the thresholds of the pack.
    A causal relation one of whose ends the text denies is left out.
    """

    def __init__(
        self,
        *,
        pack: str = SENTENCE_PACK,
        kinds: Collection[str] = tuple(SENTENCE_KINDS),
        minimum_probability: float | None = None,
    ) -> None:
        if strange := sorted(set(kinds) - set(SENTENCE_KINDS)):
            raise ConfigError(f"no relation {strange[0]!r}; known: {', '.join(SENTENCE_KINDS)}")
        if minimum_probability is not None and not 0 <= minimum_probability <= 1:
            raise ConfigError("minimum_probability is 0..1")
        loaded = load_pack(pack)
        self._families: dict[str, Family] = {
            label: family for family in loaded.families.values() for label in family.kinds
        }
        self._kinds = [kind for label, kind in SENTENCE_KINDS.items() if label in kinds]
        self._scored = [kind for kind in self._kinds if kind.label in self._families]
        self._minimum = minimum_probability
        self.maker = loaded.maker("sentence", VERSION)

    def relations(self, document: Document, entities: Sequence[Entity]) -> Iterator[Relation]:
        """Links in order of their heads; each pair and type once, a rule's before a model's."""
        found: dict[tuple[int, int, str], _Found] = {}
        place = {id(entity): index for index, entity in enumerate(entities)}
        for one in (*self._by_rule(document, entities), *self._by_model(document, entities)):
            label, head, tail = one[:3]
            if label in CAUSAL and (head.assertion.negated or tail.assertion.negated):
                continue
            found.setdefault((place[id(head)], place[id(tail)], label), one)
        for _, (label, head, tail, score, probability) in sorted(found.items()):
            yield Relation(
                doc_id=document.doc_id,
                head=head,
                tail=tail,
                label=label,
                maker=self.maker,
                score=score,
                probability=probability,
            )

    def _by_rule(self, document: Document, entities: Sequence[Entity]) -> Iterator[_Found]:
        for label, head, tail in table_links(document, entities, self._kinds):
            yield label, head, tail, None, None
        if any(kind.label == "drug_duration" for kind in self._kinds):
            for label, head, tail in duration_links(document, entities):
                yield label, head, tail, None, None

    def _by_model(self, document: Document, entities: Sequence[Entity]) -> Iterator[_Found]:
        best: dict[tuple[str, int], _Found] = {}
        for pair in sentence_pairs(document, entities, self._scored):
            label = pair.kind.label
            family = self._families[label]
            setting = family.kinds[label]
            score, probability = family.score(pair.features)
            if probability < (setting.threshold if self._minimum is None else self._minimum):
                continue
            one: _Found = (label, pair.head, pair.tail, score, probability)
            if not setting.exclusive:
                yield one
                continue
            before = best.get((label, id(pair.tail)))
            if before is None or (before[4] or 0.0) < probability:
                best[label, id(pair.tail)] = one
        yield from best.values()
