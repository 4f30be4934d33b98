"""Chemical-induced disease: which drug of a document brings about which disease, concept by concept.

One linear model over named features of the two concepts in the whole document
(:mod:`extractor.relators.concepts`). A relation's ends are the two mentions
that stand closest: that is where a reader should look first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from extractor.document import Document
from extractor.errors import ConfigError
from extractor.records import Entity, Relation
from extractor.relators.concepts import concept_pairs
from extractor.relators.kinds import CHEMICAL_DISEASE
from extractor.relators.pack import CONCEPT_PACK, load_pack

VERSION = "1.0"


class ChemicalDiseaseRelator:
    """Relations ``chemical_induced_disease``, one for each two concepts of a document.

    ``pack`` names a folder of models/; ``minimum_probability`` replaces its
    threshold. Mentions that the text denies are not looked at.
    """

    def __init__(self, *, pack: str = CONCEPT_PACK, minimum_probability: float | None = None) -> None:
        if minimum_probability is not None and not 0 <= minimum_probability <= 1:
            raise ConfigError("minimum_probability is 0..1")
        loaded = load_pack(pack)
        self._family = loaded.families[CHEMICAL_DISEASE.family]
        threshold = self._family.kinds[CHEMICAL_DISEASE.label].threshold
        self._minimum = threshold if minimum_probability is None else minimum_probability
        self.maker = loaded.maker("chemical_disease", VERSION)

    def relations(self, document: Document, entities: Sequence[Entity]) -> Iterator[Relation]:
        """Links in order of their heads."""
        asserted = [entity for entity in entities if not entity.assertion.negated]
        found = []
        for pair in concept_pairs(document, asserted):
            score, probability = self._family.score(pair.features)
            if probability >= self._minimum:
                found.append((pair.head, pair.tail, score, probability))
        found.sort(key=lambda one: (one[0].span, one[1].span))
        seen = set()
        for head, tail, score, probability in found:
            if (head.span, tail.span) in seen:  # mentions of several concepts
                continue
            seen.add((head.span, tail.span))
            yield Relation(
                doc_id=document.doc_id,
                head=head,
                tail=tail,
                label=CHEMICAL_DISEASE.label,
                maker=self.maker,
                score=score,
                probability=probability,
            )
