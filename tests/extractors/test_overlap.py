from __future__ import annotations

from hypothesis import given, strategies as st

from extractor.extractors.overlap import BESIDE, IDENTIFIERS, resolve
from extractor.records import Code, Entity, Maker
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


ENTITIES = st.lists(
    st.builds(
        lambda start, size, label, maker: entity(start, start + size, label, maker=maker),
        st.integers(0, 30),
        st.integers(1, 12),
        st.sampled_from(
            ["drug", "disease", "dose", "measurement", "date", "lot_no", "email", "abbreviation", "other"]
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
