"""The relations that are looked for: which types each may link, and which are learned together.

The head is the thing spoken about, the tail what is said of it: drug to dose,
finding to body part, test to value. A value and its unit are one mention (the
tail's quantity holds both), so no relation links them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DRUG = frozenset({"drug"})
FINDING = frozenset({"sign_symptom", "disease", "adverse_effect"})
TEST = frozenset({"lab_test", "diagnostic_procedure"})
VALUE = frozenset({"lab_value", "measurement"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One type of relation: its label and the entity types of head and tail.

    Kinds of one ``family`` share a model: its features count once for all of
    them and once for each (Daume 2007), so that rare kinds learn from the others.
    """

    label: str
    family: str
    heads: frozenset[str]
    tails: frozenset[str]

    def fits(self, head: str, tail: str) -> bool:
        """Whether mentions of these types can stand in this relation."""
        return head in self.heads and tail in self.tails


SENTENCE_KINDS: Mapping[str, Kind] = {
    kind.label: kind
    for kind in (
        Kind(
            label="drug_adverse_effect",
            family="adverse_effect",
            heads=DRUG,
            tails=frozenset({"adverse_effect"}),
        ),
        Kind(label="drug_dose", family="drug", heads=DRUG, tails=frozenset({"dose"})),
        Kind(label="drug_frequency", family="drug", heads=DRUG, tails=frozenset({"frequency"})),
        Kind(label="drug_route", family="drug", heads=DRUG, tails=frozenset({"route"})),
        Kind(label="drug_duration", family="drug", heads=DRUG, tails=frozenset({"duration"})),
        Kind(label="finding_body_part", family="finding", heads=FINDING, tails=frozenset({"anatomy"})),
        Kind(label="finding_severity", family="finding", heads=FINDING, tails=frozenset({"severity"})),
        Kind(label="lab_test_value", family="test", heads=TEST, tails=VALUE),
    )
}
"""Relations whose ends stand in one sentence or one table row, by label."""

CHEMICAL_DISEASE = Kind(
    label="chemical_induced_disease", family="chemical_disease", heads=DRUG, tails=FINDING
)
"""A chemical that brings about a disease, as the document as a whole says it: one relation for each two concepts."""

CAUSAL = frozenset({"drug_adverse_effect", "chemical_induced_disease"})
"""Relations that a denied end denies, too: "no rash after penicillin" is no adverse effect."""


def kind_named(label: str) -> Kind:
    """The kind with this label.

    Raises:
        KeyError: there is none.
    """
    return CHEMICAL_DISEASE if label == CHEMICAL_DISEASE.label else SENTENCE_KINDS[label]
