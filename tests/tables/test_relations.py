"""Rows of the relations table."""

import hashlib

import pytest

from extractor.config import load_config
from extractor.governance.inventory import Entry
from extractor.governance.policy import load_policy
from extractor.lake.commit import commit
from extractor.lake.query import query
from extractor.lake.store import Lake
from extractor.lake.verify import verify
from extractor.lineage import Pipeline
from extractor.pipeline import Engine, Job
from extractor.records import Entity, Maker, Quantity, Relation
from extractor.resources import folder
from extractor.spans import Span
from extractor.tables.catalogue import TABLES
from extractor.tables.entities import entity_rows
from extractor.tables.governed import Inheritance
from extractor.tables.relations import RELATIONS, relation_rows
from tests.extractors.made import document
from tests.lake.factory import make_batch, settings

MAKER = Maker(extractor="made", version="1")
TEXT = "Sodium was 139\nmmol/L, call jane@example.org about aspirin 81 mg."


def inheritance(doc_id):
    return Inheritance.of(
        doc_id,
        Entry(classification="public", consent_scope="unrestricted"),
        pipeline=Pipeline(code_version="0", config_sha256="0"),
        run_id="run-1",
    )


def end(doc, words, label, **more):
    start = doc.text.index(words)
    return Entity(doc_id=doc.doc_id, span=Span(start, start + len(words)), label=label, maker=MAKER, **more)


def link(head, tail, label, **more):
    return Relation(doc_id=head.doc_id, head=head, tail=tail, label=label, maker=MAKER, **more)


@pytest.fixture
def doc():
    return document(TEXT)


@pytest.fixture
def value_link(doc):
    value = end(
        doc,
        "139\nmmol/L",
        "measurement",
        alignment="normalised",
        normalised="139 mmol/L",
        quantity=Quantity(value_text="139", unit_source="mmol/L", unit_ucum="mmol/L"),
    )
    return link(end(doc, "Sodium", "lab_test"), value, "lab_test_value", score=0.9, probability=0.8)


def test_a_row_quotes_both_ends_and_names_their_rows(doc, value_link):
    (row,) = relation_rows(doc, [value_link], inheritance(doc.doc_id))

    ends = entity_rows(doc, [value_link.head, value_link.tail], inheritance(doc.doc_id))
    assert [row["head_row_id"], row["tail_row_id"]] == [one["row_id"] for one in ends]
    assert doc.text[row["char_start"] : row["char_end"]] == row["source_text"] == "Sodium"
    assert doc.text[row["tail_char_start"] : row["tail_char_end"]] == row["tail_source_text"] == "139\nmmol/L"
    assert (row["tail_text"], row["tail_normalised"]) == ("139 mmol/L", "139 mmol/L")
    assert (row["relation_type"], row["head_type"], row["tail_type"]) == (
        "lab_test_value",
        "lab_test",
        "measurement",
    )
    assert (row["score"], row["probability"], row["alignment"]) == (0.9, 0.8, "normalised")


def test_a_rerun_gives_the_same_row_and_equal_links_are_one_row(doc, value_link):
    once = relation_rows(doc, [value_link], inheritance(doc.doc_id))
    twice = relation_rows(doc, [value_link, value_link], inheritance(doc.doc_id))

    assert once == twice


def test_links_of_other_types_between_the_same_ends_are_other_rows(doc):
    drug, dose = end(doc, "aspirin", "drug"), end(doc, "81 mg", "dose")
    rows = relation_rows(
        doc, [link(drug, dose, "drug_dose"), link(drug, dose, "other")], inheritance(doc.doc_id)
    )

    assert len({row["row_id"] for row in rows}) == 2


def test_a_direct_identifier_stays_masked_at_either_end(doc):
    mail = end(doc, "jane@example.org", "email", normalised="jane@example.org")
    drug = end(doc, "aspirin", "drug")
    rows = relation_rows(doc, [link(mail, drug, "about"), link(drug, mail, "about")], inheritance(doc.doc_id))

    assert "jane" not in str(rows)
    assert [(row["source_text"], row["tail_source_text"]) for row in rows] == [
        ("[email]", "aspirin"),
        ("aspirin", "[email]"),
    ]


def test_the_text_between_the_ends_is_in_no_row(doc, value_link):
    far = link(value_link.head, end(doc, "81 mg", "dose"), "far")

    assert "jane" not in str(relation_rows(doc, [far], inheritance(doc.doc_id)))


def test_good_rows_pass_their_contract_and_bad_ones_break_the_named_rule(doc, value_link):
    (row,) = relation_rows(doc, [value_link], inheritance(doc.doc_id))
    bad = {**row, "row_id": "x", "tail_char_end": row["tail_char_start"], "tail_row_id": row["head_row_id"]}

    good, broken = RELATIONS.split(RELATIONS.to_arrow([row, bad]))

    assert good.num_rows == 1
    assert [one.rule_ids for one in broken] == [("relations.tail_span", "relations.ends")]


def test_a_doubtful_end_makes_the_link_wait_for_review(value_link):
    from dataclasses import replace

    from extractor.document import Document

    good = document(TEXT)
    pages = [replace(page, quality="poor") for page in good.pages]
    poor = Document.assemble(doc_id=good.doc_id, media_type="text/plain", pages=pages)

    assert [
        relation_rows(one, [value_link], inheritance(one.doc_id))[0]["review_status"] for one in (good, poor)
    ] == [
        "none",
        "pending",
    ]


def lake_with_links(tmp_path, **changes):
    """Two documents of the factory with one link each, ``changes`` made to its row."""
    lake = Lake(str(tmp_path / "lake"), settings())
    batch = make_batch(["a" * 64, "b" * 64], classification="public", consent_scope="unrestricted")
    rows = []
    for row in batch.tables["page_text"].to_pylist():
        if row["page_no"] > 1:
            continue
        of_document = [
            one
            for one in batch.tables["entities"].to_pylist()
            if one["doc_id"] == row["doc_id"] and one["page_no"] == 1
        ]
        drug, dose = of_document[0], of_document[1]
        kept = {name: value for name, value in drug.items() if name in RELATIONS.column_names}
        rows.append(
            {
                **kept,
                "row_id": hashlib.sha256(row["doc_id"].encode()).hexdigest(),
                "relation_type": "drug_dose",
                **{f"head_{name}": drug[name] for name in ("row_id", "type", "text")},
                **{
                    f"tail_{name}": dose[name] for name in ("row_id", "type", "text", "page_no", "char_start")
                },
                **{f"tail_{name}": dose[name] for name in ("char_end", "source_text")},
                **changes,
            }
        )
    batch.tables["relations"] = TABLES["relations"].to_arrow(rows)
    commit(lake, batch)
    return lake


def test_a_lake_with_links_is_sound_and_a_link_counts_once(tmp_path):
    report = verify(lake_with_links(tmp_path))

    assert report.findings == ()
    assert report.rows["relations"] == 2
    assert report.evidence_checked == 8 + 2


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"tail_source_text": "8.20 mg"}, "evidence"),
        ({"source_text": "ibuprofen"}, "evidence"),
        ({"tail_type": "email"}, "mask"),
    ],
)
def test_a_link_that_quotes_wrongly_at_either_end_is_told(tmp_path, changes, check):
    (finding,) = verify(lake_with_links(tmp_path, **changes)).findings

    assert (finding.check, finding.table, finding.count) == (check, "relations", 2)


def test_links_are_asked_for_under_the_policy(tmp_path):
    policy = load_policy(folder("configs") / "policy.yaml")
    asked = "select head_text, tail_text from relations"

    public = lake_with_links(tmp_path / "public")
    answer = query(public, policy.access("partner"), asked)
    assert answer.rows.to_pylist() == [{"head_text": "aspirin", "tail_text": "7.20 mg"}] * 2

    hidden = lake_with_links(tmp_path / "hidden", classification="PHI")
    assert query(hidden, policy.access("partner"), asked).rows.num_rows == 0


def test_the_engine_makes_rows_whose_ends_are_rows_of_entities():
    content = (
        b"Discharge medications\n\nTake aspirin 81 mg by mouth daily. Take metformin 500 mg twice daily.\n"
    )
    engine = Engine(load_config())

    outcome = engine.process(
        Job(
            doc_id=hashlib.sha256(content).hexdigest(),
            content=content,
            entry=Entry(classification="public", consent_scope="unrestricted"),
            pipeline=Pipeline(code_version="0", config_sha256="0"),
        )
    )

    rows = outcome.tables["relations"].to_pylist()
    ids = set(outcome.tables["entities"].column("row_id").to_pylist())
    assert outcome.rejections == ()
    assert {(row["relation_type"], row["head_text"], row["tail_text"]) for row in rows} >= {
        ("drug_dose", "aspirin", "81 mg"),
        ("drug_route", "aspirin", "by mouth"),
        ("drug_dose", "metformin", "500 mg"),
        ("drug_frequency", "metformin", "twice daily"),
    }
    assert all({row["head_row_id"], row["tail_row_id"]} <= ids for row in rows)


@pytest.mark.parametrize("end_name", ["head_type", "tail_type"])
def test_the_picture_of_a_link_to_a_masked_mention_is_refused_without_restricted_access(end_name):
    from types import SimpleNamespace

    from extractor.errors import AccessDeniedError
    from extractor.evidence_image import _check_access

    tags = {"classification": "public", "consent_scope": "unrestricted"}
    values = {"head_type": "drug", "tail_type": "dose", end_name: "email"}
    chain = SimpleNamespace(table="relations", values=values, document=SimpleNamespace(**tags), **tags)
    access = SimpleNamespace(restricted=False, sees_images=lambda *_, **__: True)
    lake = SimpleNamespace()
    lake.now = lake  # no snapshot

    with pytest.raises(AccessDeniedError, match="masked"):
        _check_access(lake, access, chain)
    access.restricted = True
    _check_access(lake, access, chain)
