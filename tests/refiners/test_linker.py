"""Mentions get codes of the knowledge base, or none; nothing else about them changes."""

import pytest
from hypothesis import given, settings, strategies as st

from extractor.errors import ConfigError, MissingToolError
from extractor.records import Code, Entity, Maker
from extractor.refiners.linker import LinkerRefiner
from extractor.resources import model_folder
from extractor.spans import Span
from tests.extractors.made import document
from tests.knowledge import made

MAKER = Maker(extractor="made", version="1")


@pytest.fixture(scope="module")
def linker(tmp_path_factory):
    from extractor.knowledge.base import load_knowledge

    root = tmp_path_factory.mktemp("linker")
    made.pack(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXTRACTOR_MODELS", str(root / "models"))
        model_folder.cache_clear()
        load_knowledge.cache_clear()
        yield LinkerRefiner(pack="knowledge-made")
    model_folder.cache_clear()
    load_knowledge.cache_clear()


def mention(doc, words, label, **given):
    at = doc.text.index(words)
    return Entity(doc_id=doc.doc_id, span=Span(at, at + len(words)), label=label, maker=MAKER, **given)


def linked(linker, text, words, label, **given):
    doc = document(text)
    (found,) = linker.refine(doc, [mention(doc, words, label, **given)])
    return found


def test_a_known_name_gets_its_code_with_the_vocabulary_version(linker):
    found = linked(linker, "The patient had azure fever.", "azure fever", "disease")

    assert found.code == Code(
        system="MESH", code="D900010", display="Fever, Azure", vocabulary_version="knowledge-made/1.0.0"
    )
    assert found.normalised == "Fever, Azure"


def test_score_probability_and_maker_of_the_mention_stay(linker):
    found = linked(linker, "Azure fever.", "Azure fever", "disease", score=0.5, probability=0.4)

    assert (found.score, found.probability, found.maker) == (0.5, 0.4, MAKER)


def test_a_brand_name_is_linked_to_its_substance(linker):
    assert linked(linker, "She took Quillex.", "Quillex", "drug").code.code == "D900001"


def test_a_short_form_means_what_its_document_defines(linker):
    doc = document("Tarn neoplasms (TN) are rare. TN was seen.")
    found = linker.refine(doc, [mention(doc, "Tarn neoplasms", "disease"), mention(doc, "TN", "disease")])

    assert [entity.code.code for entity in found] == ["D900012", "D900012"]


def test_a_misspelt_name_is_linked(linker):
    assert linked(linker, "Zorbazolle was given.", "Zorbazolle", "drug").code.code == "D900001"


def test_a_name_of_another_group_is_not_taken(linker):
    assert linked(linker, "The elbow gland.", "elbow gland", "drug").code is None
    assert linked(linker, "The elbow gland.", "elbow gland", "anatomy").code.code == "D900020"


def test_an_unknown_name_gets_no_code(linker):
    found = linked(linker, "The wobbly xyzzy.", "wobbly xyzzy", "disease")

    assert found.code is None
    assert found.normalised is None


def test_labels_without_concepts_pass_unchanged(linker):
    doc = document("azure fever")
    given = [mention(doc, "azure fever", "dose")]

    assert linker.refine(doc, given) == given
    assert linker.refine(doc, []) == []


def test_an_extractors_code_stays_where_the_linker_has_no_answer_or_must_not_replace_it(linker):
    own = Code(system="X", code="1", display="own", vocabulary_version="x/1")
    keeping = LinkerRefiner(pack="knowledge-made", replace_codes=False)

    assert linked(linker, "wobbly xyzzy", "wobbly xyzzy", "disease", code=own).code == own
    assert linked(keeping, "azure fever", "azure fever", "disease", code=own).code == own
    replaced = linked(linker, "azure fever", "azure fever", "disease", code=own, normalised="own")
    assert (replaced.code.code, replaced.normalised) == ("D900010", "Fever, Azure")


def test_a_canonical_form_that_is_no_name_of_the_old_code_stays(linker):
    assert linked(linker, "AF", "AF", "disease", normalised="azure fever").normalised == "azure fever"


def test_only_the_configured_labels_are_linked(linker):
    drugs = LinkerRefiner(pack="knowledge-made", labels=["drug"])

    assert linked(drugs, "azure fever", "azure fever", "disease").code is None


def test_a_label_without_concepts_cannot_be_configured(linker):
    with pytest.raises(ConfigError, match="colour"):
        LinkerRefiner(pack="knowledge-made", labels=["colour"])


def test_a_pack_that_is_not_installed_is_said(linker):
    with pytest.raises(MissingToolError, match="not installed"):
        LinkerRefiner(pack="knowledge-absent")


@pytest.mark.parametrize(
    "words",
    [
        "x" * 10_000,
        "azure " * 1_700,
        "лихорадка",
        "発熱",
        "\u202eحمى",
        "e\u0301" * 5,
        "😀",
        "a\x00b",
        "\x7f",
        "()",
        "-",
    ],
)
def test_odd_mentions_are_no_trouble(linker, words):
    assert linked(linker, f"see {words} here", words.strip(), "disease").code is None


@settings(max_examples=60)
@given(text=st.text(min_size=1, max_size=80).filter(str.strip))
def test_any_text_can_be_linked_and_order_is_kept(linker, text):
    doc = document(text.replace("\f", " "))
    given = [
        Entity(doc_id=doc.doc_id, span=Span(start, len(doc.text)), label="disease", maker=MAKER)
        for start in range(0, len(doc.text), 7)
    ]
    found = linker.refine(doc, given)

    assert [entity.span for entity in found] == [entity.span for entity in given]


@pytest.fixture
def shipped(monkeypatch):
    monkeypatch.delenv("EXTRACTOR_MODELS", raising=False)
    model_folder.cache_clear()
    yield LinkerRefiner()
    model_folder.cache_clear()


@pytest.mark.parametrize(
    ("words", "label", "code"),
    [
        ("diabetes insipidus", "disease", "D003919"),
        ("Renal failures", "disease", "D051437"),
        ("hypertensive", "disease", "D006973"),
        ("aspirin", "drug", "D001241"),
        ("pancreas", "anatomy", "D010179"),
    ],
)
def test_the_shipped_pack_links_what_everybody_knows(shipped, words, label, code):
    assert linked(shipped, f"About {words} here.", words, label).code.code == code


def test_the_shipped_pack_is_pinned_by_its_digest(shipped):
    assert shipped.maker.model == "knowledge-biomedical"
    assert len(shipped.maker.model_sha256) == 64


def test_a_composite_gets_the_code_of_one_of_its_parts(shipped):
    assert linked(
        shipped, "gastric and bladder cancer", "gastric and bladder cancer", "disease"
    ).code.code in {
        "D013274",
        "D001749",
    }
