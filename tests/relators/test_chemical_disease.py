"""Which chemical brings about which disease, over a document."""

import time
from dataclasses import replace

import pytest

from extractor.errors import ConfigError
from extractor.records import Code
from extractor.relators.chemical_disease import ChemicalDiseaseRelator
from tests.relators.made import links, marked

ABSTRACT = (
    "[Heparin|drug]-induced [thrombocytopenia|disease] in a young man. We report a patient who developed "
    "[thrombocytopenia|disease] after [heparin|drug] was given for a week. [Paracetamol|drug] was given for "
    "[headache|disease] on the first day."
)


@pytest.fixture(scope="module")
def relator():
    return ChemicalDiseaseRelator()


def test_the_induced_disease_is_linked_once_at_its_closest_mentions(relator):
    document, entities = marked(ABSTRACT)

    found = [one for one in relator.relations(document, entities) if one.probability > 0.6]

    assert [(one.head, one.tail) for one in found] == [(entities[3], entities[2])]
    assert found[0].label == "chemical_induced_disease"
    assert found[0].probability > 0.9


def test_a_denied_disease_is_not_induced(relator):
    text = "[Heparin|drug] caused no [thrombocytopenia|!disease] in this patient."

    assert links(relator, *marked(text)) == []


def test_mentions_with_one_code_are_one_concept():
    document, entities = marked(
        "[Heparin|drug] caused [HIT|disease]. This [thrombopenia|disease] after [heparin|drug] went on."
    )
    code = Code(system="MESH", code="D013921", display="", vocabulary_version="1")
    coded = tuple(replace(one, code=code) if one.label == "disease" else one for one in entities)
    relator = ChemicalDiseaseRelator(minimum_probability=0)

    assert len(links(relator, document, entities)) == 2
    assert len(links(relator, document, coded)) == 1


def test_a_higher_minimum_leaves_the_surer_links(relator):
    document, entities = marked(ABSTRACT)
    every = set(links(ChemicalDiseaseRelator(minimum_probability=0), document, entities))
    sure = set(links(ChemicalDiseaseRelator(minimum_probability=0.6), document, entities))

    assert sure < every
    with pytest.raises(ConfigError, match="minimum_probability"):
        ChemicalDiseaseRelator(minimum_probability=-1)


@pytest.mark.parametrize("text", ["", "word", "[aspirin|drug] only", "[ulcer|disease] only"])
def test_without_two_ends_there_is_no_link(relator, text):
    assert links(relator, *marked(text)) == []


def test_thousands_of_mentions_take_little_time(relator):
    document, entities = marked(
        ". ".join(f"[drug{n % 90}|drug] caused [ill{n % 70}|disease] today" for n in range(1500))
    )

    began = time.process_time()
    list(relator.relations(document, entities))

    assert time.process_time() - began < 5  # below 1 s on an idle machine
