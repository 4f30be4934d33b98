from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given, strategies as st

from extractor.extractors.overlap import BESIDE, IDENTIFIERS, resolve
from extractor.records import Code, Entity, Maker, Quantity
from extractor.spans import Span


def entity(start, end, label, *, code=None, maker="a"):
    made = Code(system="S", code=code, display=code, vocabulary_version="1") if code else None
    return Entity(
        doc_id="d", span=Span(start, end), label=label, maker=Maker(extractor=maker, version="1"), code=made
    )


def kept(*entities):
    return [(e.span.start, e.span.end, e.label) for e in resolve(entities)]


def test_identifiers_beat_even_longer_mentions():
    assert kept(entity(0, 20, "drug"), entity(5, 9, "lot_no")) == [(5, 9, "lot_no")]


def test_the_longer_mention_stands():
    assert kept(entity(0, 5, "disease"), entity(0, 12, "drug"), entity(8, 14, "disease")) == [(0, 12, "drug")]


def test_a_dose_stands_for_the_measurement_of_the_same_amount():
    assert kept(entity(0, 5, "measurement"), entity(0, 5, "dose")) == [(0, 5, "dose")]


def test_a_code_decides_between_equal_spans():
    assert resolve([entity(0, 5, "drug"), entity(0, 5, "disease", code="C")])[0].label == "disease"


def test_an_abbreviation_stays_beside_a_mention_but_not_inside_an_identifier():
    assert kept(entity(0, 3, "disease"), entity(0, 3, "abbreviation")) == [
        (0, 3, "abbreviation"),
        (0, 3, "disease"),
    ]
    assert kept(entity(0, 9, "document_no"), entity(0, 3, "abbreviation")) == [(0, 9, "document_no")]


def test_mentions_that_only_touch_both_stand():
    assert kept(entity(0, 3, "drug"), entity(3, 5, "dose")) == [(0, 3, "drug"), (3, 5, "dose")]


def test_a_mention_only_a_vocabulary_knows_gives_way_even_to_a_shorter_one():
    assert kept(entity(0, 12, "drug", code="C", maker="dictionary"), entity(4, 9, "gene", maker="ner")) == [
        (4, 9, "gene")
    ]


def test_a_laboratory_value_takes_the_number_of_the_measurement_it_covers():
    amount = Quantity(value_text="7.20", value=Decimal("7.20"), unit_ucum="g/dL", parse_status="ok")
    measurement = replace(entity(5, 14, "measurement"), quantity=amount, normalised="7.20 g/dL")

    (value,) = resolve([measurement, entity(2, 14, "lab_value", maker="ner")])

    assert (value.label, value.quantity, value.normalised) == ("lab_value", amount, "7.20 g/dL")


def test_an_amount_beyond_the_mention_that_stands_is_not_taken_over():
    amount = Quantity(value_text="7", value=Decimal(7), parse_status="ok")
    measurement = replace(entity(5, 14, "measurement"), quantity=amount)

    (value,) = resolve([measurement, entity(0, 10, "lab_value", maker="ner")])

    assert value.quantity is None


def test_a_mention_takes_the_code_of_a_vocabulary_for_the_same_words():
    known = entity(0, 9, "drug", code="C", maker="dictionary")

    (drug,) = resolve([known, entity(0, 9, "drug", maker="ner")])

    assert (drug.maker.extractor, drug.code) == ("ner", known.code)


def test_a_dose_over_dose_and_frequency_gives_way_to_its_parts():
    parts = (entity(0, 6, "dose", maker="dose"), entity(7, 18, "frequency", maker="dose"))

    assert kept(entity(0, 18, "dose", maker="ner"), *parts) == [(0, 6, "dose"), (7, 18, "frequency")]


def test_of_equal_dates_the_one_with_a_canonical_form_stands():
    dated = replace(entity(0, 10, "date", maker="rule"), normalised="2024-06-30")

    assert resolve([entity(0, 10, "date", maker="ner"), dated]) == (dated,)


ENTITIES = st.lists(
    st.builds(
        lambda start, size, label, maker: entity(start, start + size, label, maker=maker),
        st.integers(0, 30),
        st.integers(1, 12),
        st.sampled_from(
            [
                "drug",
                "disease",
                "dose",
                "frequency",
                "measurement",
                "date",
                "lot_no",
                "email",
                "abbreviation",
                "other",
            ]
        ),
        st.sampled_from(["a", "b"]),
    ),
    max_size=15,
)


@given(ENTITIES, st.randoms())
def test_the_outcome_does_not_depend_on_the_order_and_nothing_overlaps(entities, random):
    shuffled = entities[:]
    random.shuffle(shuffled)
    resolved = resolve(entities)
    assert resolved == resolve(shuffled)
    assert resolve(resolved) == resolved
    plain = [e for e in resolved if e.label not in BESIDE]
    assert not any(x.span.overlaps(y.span) for i, x in enumerate(plain) for y in plain[i + 1 :])
    for given_ in entities:  # whatever was left out gave way to something that stands
        assert given_ in resolved or any(given_.span.overlaps(e.span) for e in resolved)
    for e in resolved:
        if e.label in BESIDE:
            assert not any(o.label in IDENTIFIERS and o.span.overlaps(e.span) for o in plain)
