"""What a report says, on documents small enough to count by hand."""

import random

import hypothesis.strategies as st
import pytest
from hypothesis import given

from extractor.errors import ExtractionError
from extractor.evaluation.labels import LabelMap, RelationRule, equal_names
from extractor.evaluation.measure import measure
from extractor.gold import FailedMention, GoldDocument, GoldEntity
from extractor.spans import Span
from tests.evaluation.made import Adapters, BatchedWords, Knows, LinksAll, Words, gold

DOCUMENTS = [
    gold("Rash after codeine.", ("Rash", "Effect"), ("codeine", "Chemical"), id="1"),
    gold(
        "Codeine and aspirin: fever.",
        ("Codeine", "Chemical"),
        ("aspirin", "Amino"),
        ("fever", "Effect"),
        id="2",
    ),
    gold("A knee hurts.", ("knee", "Part"), id="3"),
]
LABELS = LabelMap(
    name="made",
    gold={"Chemical": "Chemical", "Amino": "Chemical", "Effect": "Effect"},
    ours={"drug": "Chemical", "disease": "Effect", "sign": "Effect"},
    given={"Chemical": "drug", "Effect": "disease"},
)


def finding(words, **options):
    return Adapters(
        extractors=[Words({word: (label, None, None) for word, label in words.items()})], **options
    )


def test_scores_are_those_of_counting_by_hand():
    adapters = finding(
        {"codeine": "drug", "aspirin": "drug", "fever": "sign", "Rash after": "disease", "knee": "part"}
    )
    report = measure(DOCUMENTS, adapters, labels=LABELS)

    chemical, effect = report.scores.types["Chemical"], report.scores.types["Effect"]
    assert (chemical.right, chemical.predicted, chemical.support) == (2, 2, 3)
    assert (effect.right, effect.predicted, effect.support) == (1, 2, 2)
    assert report.scores.micro.precision == pytest.approx(3 / 4)
    assert report.scores.micro.recall == pytest.approx(3 / 5)
    overlapping = measure(DOCUMENTS, adapters, labels=LABELS, match="overlap")
    assert overlapping.scores.types["Effect"].right == 2


def test_what_the_map_does_not_name_is_left_out_on_both_sides_and_said():
    report = measure(DOCUMENTS, finding({"knee": "part", "hurts": "sign"}), labels=LABELS)

    assert report.left_out["gold_types"] == {"Part": 1}
    assert report.left_out["labels"] == {"part": 1}
    assert report.scores.micro.predicted == 1


def test_one_place_counts_once_whatever_it_is_called():
    twice = gold("Rash.", ("Rash", "Effect"), ("Rash", "Sign"))
    labels = LabelMap(
        name="m", gold={"Effect": "E", "Sign": "E"}, ours={"disease": "E"}, given={"E": "disease"}
    )
    report = measure([twice], finding({"Rash": "disease"}), labels=labels)

    assert (report.scores.micro.right, report.scores.micro.support) == (1, 1)
    assert report.left_out["gold_mentions_repeated"] == 1


def test_nested_mentions_of_one_type_count_each():
    nested = gold("acute rash", ("acute rash", "Effect"), ("rash", "Effect"))
    report = measure([nested], finding({"rash": "sign"}), labels=LABELS)

    assert (report.scores.micro.right, report.scores.micro.support) == (1, 2)


def test_mentions_in_pieces_without_place_and_unannotated_documents_are_left_out_and_counted():
    documents = [
        GoldDocument(
            id="a",
            text="left and right pain",
            entities=(GoldEntity(span=Span(0, 19), type="Effect", contiguous=False),),
            failed=(FailedMention(type="Effect", text="leg pain"),),
        ),
        GoldDocument(id="b", text="codeine", annotated=False),
    ]
    report = measure(documents, finding({"codeine": "drug"}), labels=LABELS)

    assert report.documents == 1
    assert report.left_out["gold_mentions_in_pieces"] == 1
    assert report.left_out["gold_mentions_without_place"] == 1
    assert report.left_out["documents_without_annotation"] == 1
    assert (report.scores.micro.support, report.scores.micro.predicted) == (0, 0)


def test_terms_are_counted_once_a_document_where_the_map_says_so():
    document = GoldDocument(
        id="a",
        text="Rash. Fever. rash again.",
        entities=(GoldEntity(span=Span(0, 4), type="E"), GoldEntity(span=Span(6, 11), type="E")),
        failed=(FailedMention(type="E", text="Skin pain"),),
    )
    labels = LabelMap(name="m", gold={"E": "E"}, ours={"sign": "E"}, given={"E": "sign"}, unit="term")
    report = measure([document], finding({"rash": "sign", "again": "sign"}), labels=labels)

    assert (report.scores.micro.right, report.scores.micro.predicted, report.scores.micro.support) == (
        1,
        2,
        3,
    )


def test_other_readings_of_a_gene_count_once():
    labels = LabelMap(name="m", gold={"G": "G"}, ours={"gene": "G"}, given={"G": "gene"}, alternatives=True)
    document = gold("the p53 gene", ("p53 gene", "G"), ("p53", "G"))
    for word in ("p53", "p53 gene"):
        report = measure([document], finding({word: "gene"}), labels=labels)
        assert (report.scores.micro.right, report.scores.micro.support) == (1, 1)


def test_many_documents_at_once_give_what_one_by_one_gives():
    words = {"codeine": ("drug", None, 0.5), "fever": ("sign", None, 0.25)}
    one_by_one = measure(DOCUMENTS, Adapters(extractors=[Words(words)]), labels=LABELS).as_dict()
    at_once = measure(DOCUMENTS, Adapters(extractors=[BatchedWords(words)]), labels=LABELS).as_dict()

    for report in (one_by_one, at_once):
        del report["tokens_per_s"], report["seconds"]
    assert at_once == one_by_one


def test_the_parts_stand_in_the_order_of_the_engine():
    from extractor.config import load_config
    from extractor.evaluation.documents import text_document
    from extractor.evaluation.engine import find
    from extractor.finding import Finder

    # without the recogniser: int8 rounds a batch of several documents otherwise than one document
    names = ("abbreviation", "dictionary", "dose", "measurement", "date")
    finder = Finder(load_config(overrides={"extractors": [{"name": name} for name in names]}))
    documents = [
        text_document(each) for each in ("Warfarin 5 mg daily for atrial fibrillation (AF).", "", "No AF.")
    ]
    found = find(finder, documents)

    for document, entities, relations in zip(documents, found.refined, found.relations, strict=True):
        expected = finder.find(document)
        assert (entities, relations) == (expected.entities, expected.relations)


def test_a_mention_outside_its_document_is_the_extractors_fault():
    class Astray(Words):
        def entities(self, document):
            from dataclasses import replace

            for entity in super().entities(document):
                yield replace(entity, span=Span(0, 10_000))

    with pytest.raises(ExtractionError, match="made@1"):
        measure(DOCUMENTS, Adapters(extractors=[Astray({"codeine": ("drug", None, None)})]), labels=LABELS)


def test_tokens_are_words_and_signs_and_loading_is_not_timed():
    extractor = Words({"codeine": ("drug", None, None)})
    report = measure(DOCUMENTS, Adapters(extractors=[extractor]), labels=LABELS)

    assert report.tokens == 4 + 6 + 4
    assert len(extractor.seen) == len(DOCUMENTS) + 1, "one document more, to warm up"
    assert report.tokens_per_s == pytest.approx(report.tokens / report.seconds, abs=0.1)


CODED = [
    gold(
        "Codeine, aspirin, zinc, rash and fever.",
        ("Codeine", "Chemical", {"concept": "MESH:D1"}),
        ("aspirin", "Chemical", {"concept": "MESH:D2|MESH:D3"}),
        ("zinc", "Chemical", {"concept": "-1"}),
        ("rash", "Effect", {"concept": "D9"}),
        ("fever", "Effect", {"concept": "OMIM:5"}),
    )
]


def test_codes_of_given_mentions_are_compared_by_concept():
    knows = Knows(codes={"Codeine": "D1", "aspirin": "D3", "rash": "D8", "zinc": "D7"})
    given_codes = measure(CODED, Adapters(refiners=[knows]), labels=LABELS).linking["given"]

    assert given_codes["accuracy"] == pytest.approx(2 / 4)
    assert (given_codes["composites"], given_codes["accuracy_all_parts"]) == (1, pytest.approx(1 / 4))
    assert given_codes["without_code"] == 1
    assert given_codes["nil"] == {"mentions": 1, "right": 0}
    assert given_codes["types"]["Effect"]["accuracy"] == 0.0
    assert given_codes["systems"]["OMIM"]["mentions"] == 1


def test_codes_end_to_end_need_the_mention_and_its_concept():
    words = {"Codeine": ("drug", "D1", None), "rash": ("disease", "D8", None), "and": ("drug", "D5", None)}
    linking = measure(CODED, Adapters(extractors=[Words(words)]), labels=LABELS).linking

    assert (
        linking["end_to_end"]["right"],
        linking["end_to_end"]["predicted"],
        linking["end_to_end"]["support"],
    ) == (1, 3, 4)
    assert linking["found"] == {"accuracy": 0.5, "right": 1, "mentions": 2, "without_code": 0}
    assert (linking["documents"]["right"], linking["documents"]["support"]) == (1, 5)
    assert linking["given"] is None, "nobody refines"


def test_a_corpus_without_concepts_has_no_linking():
    assert measure(DOCUMENTS, finding({}), labels=LABELS).linking is None


ASSERTED = [
    gold(
        "No rash, no cough; fever. Old gout.",
        ("rash", "Effect", {"negated": True, "temporality": "recent", "experiencer": "patient"}),
        ("cough", "Effect", {"negated": True, "temporality": "recent", "experiencer": "patient"}),
        ("fever", "Effect", {"negated": False, "temporality": "not particular", "experiencer": "patient"}),
        ("gout", "Effect", {"negated": False, "temporality": "historical"}),
    )
]


def test_assertions_of_given_mentions_are_scored_by_their_marked_value():
    adapters = Adapters(refiners=[Knows(negated=("rash", "fever"), historical=("gout",))])
    assertion = measure(ASSERTED, adapters, labels=LABELS).assertion

    negation = assertion["negation"]
    assert (negation["right"], negation["predicted"], negation["support"]) == (1, 2, 2)
    assert (negation["f1"], negation["accuracy"]) == (0.5, 0.5)
    assert (assertion["temporality"]["f1"], assertion["temporality"]["mentions"]) == (1.0, 4)
    assert (assertion["experiencer"]["f1"], assertion["experiencer"]["mentions"]) == (None, 3)


def test_without_a_refiner_assertions_are_not_measured_and_that_is_said():
    report = measure(ASSERTED, finding({}), labels=LABELS)

    assert report.assertion is None
    assert "assertion: no refiner is configured" in report.notes


RELATED = [
    gold(
        "Codeine gave rash; zinc gave fever.",
        ("Codeine", "Chemical", {"concept": "MESH:D1"}),
        ("rash", "Effect", {"concept": "MESH:D9"}),
        ("zinc", "Chemical", {"concept": "MESH:D2"}),
        ("fever", "Effect", {"concept": "MESH:D8"}),
        relations=[("AE", 0, 1), ("AE", 2, 3), ("CID", "MESH:D1", "MESH:D9"), ("MODIFY", 1, 0)],
    )
]


def related(rule, name):
    return LabelMap(
        name="m",
        gold=LABELS.gold,
        ours=LABELS.ours,
        given=LABELS.given,
        relations={name: rule},
        gold_relations={name: name},
    )


def test_relations_between_mentions_are_compared_by_type_and_both_places():
    labels = related(RelationRule(ours=("causes",)), "AE")
    adapters = finding(
        {"Codeine": "drug", "rash": "disease"}, relators=[LinksAll("causes", "drug", "disease")]
    )
    relations = measure(RELATED, adapters, labels=labels).relations

    given_all = relations["given"]["types"]["AE"]
    found = relations["end_to_end"]["types"]["AE"]
    assert (given_all["right"], given_all["predicted"], given_all["support"]) == (2, 4, 2)
    assert (found["right"], found["predicted"], found["support"]) == (1, 1, 2)


def test_a_reversed_relation_is_compared_the_other_way_around():
    adapters = Adapters(relators=[LinksAll("caused_by", "disease", "drug")])
    for way, right in ((True, 2), (False, 0)):
        labels = related(RelationRule(ours=("caused_by",), reversed=way), "AE")
        assert measure(RELATED, adapters, labels=labels).relations["given"]["micro"]["right"] == right


def test_relations_between_concepts_are_compared_once_a_document():
    labels = related(RelationRule(ours=("causes",), compare="concepts"), "CID")
    words = {
        "Codeine": ("drug", "D1", None),
        "rash": ("disease", "D9", None),
        "fever": ("disease", None, None),
    }
    adapters = Adapters(extractors=[Words(words)], relators=[LinksAll("causes", "drug", "disease")])
    report = measure(RELATED, adapters, labels=labels)

    found = report.relations["end_to_end"]
    assert (found["micro"]["right"], found["micro"]["predicted"], found["micro"]["support"]) == (1, 1, 1)
    assert found["without_code"] == 1
    assert (report.relations["given"]["micro"]["predicted"], report.relations["given"]["micro"]["right"]) == (
        4,
        1,
    )
    assert report.left_out["gold_relations"] == {"AE": 2, "MODIFY": 1}


def test_links_of_given_mentions_are_made_over_the_annotated_concepts():
    class Recording(LinksAll):
        def relations(self, document, entities):
            seen.extend(entity.code.code for entity in entities if entity.code is not None)
            return super().relations(document, entities)

    seen = []
    labels = related(RelationRule(ours=("causes",), compare="concepts"), "CID")
    knows = Knows(codes={"Codeine": "D77"})
    measure(
        RELATED, Adapters(refiners=[knows], relators=[Recording("causes", "drug", "disease")]), labels=labels
    )

    assert seen == ["D1", "D9", "D2", "D8"]


def test_calibration_judges_strictly_even_where_overlap_is_asked():
    words = {"Rash after": ("disease", None, 0.7), "codeine": ("drug", None, 0.9)}
    report = measure(DOCUMENTS, Adapters(extractors=[Words(words)]), labels=LABELS, match="overlap")

    assert report.calibration["Effect"].errors == 1
    assert report.calibration["Chemical"].errors == 0
    assert report.calibration["all"].verdict == "cannot rank: 1 errors, 100 needed"


@st.composite
def corpora(draw):
    documents = []
    for number in range(draw(st.integers(1, 5))):
        text = draw(st.text("ab \f\n", min_size=1, max_size=30))
        spans = draw(st.sets(st.tuples(st.integers(0, len(text) - 1), st.integers(1, 6)), max_size=5))
        entities = tuple(
            GoldEntity(
                span=Span(start, min(start + size, len(text))), type=draw(st.sampled_from(["drug", "dose"]))
            )
            for start, size in sorted(spans)
        )
        documents.append(GoldDocument(id=str(number), text=text, entities=entities))
    return documents


class Perfect:
    """Says of each text what its annotation says, leaving out what overlaps."""

    def __init__(self, documents):
        self._of = {}
        for document in documents:
            for entity in document.entities:
                self._of.setdefault(document.text, set()).add((entity.span, entity.type))
        from tests.evaluation.made import MAKER

        self.maker = MAKER

    def entities(self, document):
        from extractor.records import Entity

        for span, label in sorted(self._of.get(document.text, ())):
            yield Entity(doc_id=document.doc_id, span=span, label=label, maker=self.maker)


def flat(documents):
    """The same documents without overlaps, each text once."""
    kept = {}
    for document in documents:
        entities, end = [], 0
        for entity in sorted(document.entities, key=lambda each: each.span):
            if entity.span.start >= end:
                entities.append(entity)
                end = entity.span.end
        kept[document.text] = GoldDocument(id=document.id, text=document.text, entities=tuple(entities))
    return list(kept.values())


@given(corpora())
def test_perfect_predictions_score_one(documents):
    documents = flat(documents)
    scores = measure(
        documents, Adapters(extractors=[Perfect(documents)]), labels=equal_names(documents)
    ).scores

    for one in (*scores.types.values(), scores.micro):
        assert (one.precision, one.recall, one.f1) in ((1.0, 1.0, 1.0), (None, None, None))
    if any(document.entities for document in documents):
        assert (scores.micro.f1, scores.micro.low, scores.micro.high) == (1.0, 1.0, 1.0)


@given(corpora(), st.randoms())
def test_shuffled_documents_and_mentions_give_the_same_report(documents, order):
    shuffled = [
        GoldDocument(
            id=each.id, text=each.text, entities=tuple(order.sample(each.entities, len(each.entities)))
        )
        for each in order.sample(documents, len(documents))
    ]
    adapters = finding({"a": "drug", "b b": "dose", "ab": "drug"})
    for match in ("strict", "overlap"):
        reports = [
            measure(each, adapters, labels=equal_names(documents), match=match).as_dict()
            for each in (documents, shuffled)
        ]
        for report in reports:
            del report["tokens_per_s"], report["seconds"]
        assert reports[0] == reports[1]


@given(corpora())
def test_counts_agree_with_counting_by_set(documents):
    adapters = finding({"a": "drug", "b": "dose"})
    right = mine = wanted = 0
    for document in documents:
        gold_set = {(each.span.start, each.span.end, each.type) for each in document.entities}
        ours = {(n, n + 1, {"a": "drug", "b": "dose"}[c]) for n, c in enumerate(document.text) if c in "ab"}
        named = {each.type for other in documents for each in other.entities}
        ours = {each for each in ours if each[2] in named}
        right, mine, wanted = right + len(gold_set & ours), mine + len(ours), wanted + len(gold_set)
    micro = measure(documents, adapters, labels=equal_names(documents)).scores.micro

    assert (micro.right, micro.predicted, micro.support) == (right, mine, wanted)


def test_a_set_of_empty_documents_gives_an_empty_report():
    report = measure(
        [GoldDocument(id="a", text=""), GoldDocument(id="b", text=" \f ")], finding({}), labels=LABELS
    )

    assert report.scores.micro.f1 is None
    assert report.tokens_per_s is None
    assert report.documents == 2


def test_thousands_of_documents_take_no_time_to_score():
    random.seed(4)
    documents = [gold("codeine and rash", ("codeine", "Chemical"), id=str(n)) for n in range(3000)]

    assert measure(documents, finding({"codeine": "drug"}), labels=LABELS).scores.micro.f1 == 1.0
