"""What people decided outlives a better model."""

import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

from extractor.lake.carry import DECIDED, STAMPS, Reviews, carry_entities, carry_relations, stamped
from extractor.tables.catalogue import table_named
from tests.lake.factory import doc_id, extraction_id, make_batch

A, B = doc_id("a"), doc_id("b")
STAMPED = {
    document: {"extraction_id": extraction_id(document, "2.0"), "run_id": "run-2", "pipeline_version": "2.0"}
    for document in (A, B)
}


def entity(document=A, label="drug", start=0, end=7, *, status="none", words="aspirin", **more):
    (row,) = [
        row
        for row in make_batch([document], pages=1).tables["entities"].to_pylist()
        if row["type"] == "measurement"
    ]
    return {
        **row,
        "row_id": f"{document[:4]} {label} {start}-{end}",
        "type": label,
        "char_start": start,
        "char_end": end,
        "text": words,
        "source_text": words,
        "review_status": status,
        **more,
    }


def relation(head, tail, *, kind="drug_dose", status="none"):
    row = {
        name: head[name]
        for name in ("doc_id", "extraction_id", "run_id", "pipeline_version", "study_id", "subject_id")
    }
    row |= {name: head[name] for name in ("classification", "consent_scope", "page_no", "extractor")}
    row |= {"row_id": f"{kind} {head['row_id']} {tail['row_id']}", "relation_type": kind, "boxes": []}
    for end, one in (("head", head), ("tail", tail)):
        row |= {f"{end}_{name}": one[name] for name in ("row_id", "type", "text", "normalised", "code")}
    place = {
        "char_start": head["char_start"],
        "char_end": head["char_end"],
        "source_text": head["source_text"],
    }
    place |= {f"tail_{name}": tail[name] for name in ("char_start", "char_end", "source_text", "page_no")}
    return row | place | {"alignment": "exact", "review_status": status}


def rows(found, table="entities"):
    return table_named(table).to_arrow(found).cast(table_named(table).arrow_schema())


def carried(old, new, **more):
    return carry_entities(rows(old), rows(new), stamps=STAMPED, **more)


def places(found):
    return {
        (row["type"], row["char_start"], row["char_end"], row["review_status"])
        for row in found.rows.to_pylist()
    }


@pytest.mark.parametrize("status", DECIDED)
def test_a_decided_row_stays_as_it_is_under_the_current_extraction(status):
    old = entity(status=status, code="D001241", score=0.4, model="ner", model_version="1.0")
    new = entity(code="D000000", score=0.9, model="ner", model_version="2.0")

    found = carried([old], [new])

    (row,) = found.rows.to_pylist()
    assert row == {**rows([old]).to_pylist()[0], **STAMPED[A]}
    assert found.reviews == Reviews(kept=1, gave_way=1)
    assert found.touched == {A}


@pytest.mark.parametrize("status", ["none", "pending"])
def test_a_row_that_nobody_decided_on_goes(status):
    found = carried([entity(status=status)], [entity(start=20, end=25)])

    assert places(found) == {("drug", 20, 25, "none")}
    assert (found.reviews, found.touched) == (Reviews(), frozenset())


@pytest.mark.parametrize("status", ["accepted", "corrected"])
@pytest.mark.parametrize(
    ("start", "end", "stays"),
    [
        (10, 17, False),
        (8, 11, False),
        (16, 30, False),
        (0, 40, False),
        (12, 13, False),
        (17, 20, True),
        (5, 10, True),
    ],
)
def test_what_meets_an_accepted_or_corrected_place_gives_way_and_what_touches_it_stays(
    status, start, end, stays
):
    found = carried(
        [entity(start=10, end=17, status=status)], [entity(label="disease", start=start, end=end)]
    )

    assert (("disease", start, end, "none") in places(found)) == stays
    assert ("drug", 10, 17, status) in places(found)


def test_only_the_like_of_a_rejected_row_gives_way():
    found = carried(
        [entity(start=10, end=17, status="rejected")],
        [
            entity(start=10, end=17),
            entity(label="disease", start=10, end=17),
            entity(start=10, end=20),
        ],
    )

    assert places(found) == {
        ("drug", 10, 17, "rejected"),
        ("disease", 10, 17, "none"),
        ("drug", 10, 20, "none"),
    }


def test_a_corrected_row_keeps_its_name_alone_even_where_its_place_was_corrected():
    corrected = entity(start=30, end=35, status="corrected") | {"row_id": entity(start=10, end=17)["row_id"]}

    found = carried([corrected], [entity(start=10, end=17), entity(start=50, end=55)])

    assert places(found) == {("drug", 30, 35, "corrected"), ("drug", 50, 55, "none")}


def test_decisions_on_one_document_do_not_touch_another():
    found = carried([entity(A, status="accepted")], [entity(A), entity(B)])

    assert {(row["doc_id"], row["review_status"]) for row in found.rows.to_pylist()} == {
        (A, "accepted"),
        (B, "none"),
    }


def test_where_the_text_is_another_a_decision_stands_only_on_the_same_words():
    old = [
        entity(start=0, end=7, status="accepted"),
        entity(start=20, end=27, status="rejected"),
        entity(B, start=0, end=7, status="accepted"),
        entity(label="email", start=40, end=50, status="accepted", words="[email]"),
        entity(label="email", start=60, end=70, status="accepted", words="[email]"),
    ]
    new = [entity(start=0, end=7), entity(label="email", start=40, end=50, words="[email]")]

    found = carried(old, new, texts={A: "aspirin and then something else" + " " * 50})

    assert places(found) == {("drug", 0, 7, "accepted"), ("email", 40, 50, "accepted")}
    assert found.reviews.kept == 2
    assert set(found.reviews.unplaced) == {old[1]["row_id"], old[2]["row_id"], old[4]["row_id"]}


def test_the_ends_of_a_decided_link_stay_unless_the_new_model_found_the_same():
    head, tail = entity(start=0, end=7), entity(label="dose", start=8, end=12)

    found = carried([head, tail], [entity(start=0, end=7, score=0.9)], ends={head["row_id"], tail["row_id"]})

    assert {(row["type"], row["score"]) for row in found.rows.to_pylist()} == {("drug", 0.9), ("dose", None)}
    assert found.reviews.kept == 0


HEAD, TAIL = entity(start=0, end=7), entity(label="dose", start=8, end=12, words="5 mg")


def links(old, new, **more):
    given = {"entities": rows([HEAD, TAIL]), "touched": frozenset(), **more}
    return carry_relations(rows(old, "relations"), rows(new, "relations"), stamps=STAMPED, **given)


@pytest.mark.parametrize("status", DECIDED)
def test_a_decided_link_stays_and_its_like_gives_way(status):
    found = links(
        [relation(HEAD, TAIL, status=status)], [relation(HEAD, TAIL), relation(TAIL, HEAD, kind="other")]
    )

    assert {
        (row["relation_type"], row["review_status"], row["run_id"]) for row in found.rows.to_pylist()
    } == {
        ("drug_dose", status, "run-2"),
        ("other", "none", "run-1"),
    }
    assert found.reviews == Reviews(kept=1, gave_way=1)


def test_a_link_between_the_same_two_places_gives_way_to_an_accepted_one_and_not_to_a_rejected_one():
    wider = entity(start=0, end=12)

    for status, stays in (("accepted", False), ("rejected", True)):
        found = links([relation(HEAD, TAIL, status=status)], [relation(wider, TAIL, kind="drug_dose")])
        assert ("none" in {row["review_status"] for row in found.rows.to_pylist()}) == stays


def test_links_of_a_touched_document_stand_between_mentions_that_stand():
    gone, rejected = entity(start=90, end=95), entity(start=70, end=75, status="rejected")
    new = [relation(HEAD, TAIL), relation(gone, TAIL), relation(HEAD, rejected)]

    found = links([], new, entities=rows([HEAD, TAIL, rejected]), touched={A})

    assert [row["tail_row_id"] for row in found.rows.to_pylist()] == [TAIL["row_id"]]
    assert found.reviews.gave_way == 2
    assert links([], new).rows.num_rows == 3


def test_a_link_says_of_its_ends_what_a_person_made_of_them():
    corrected = HEAD | {"review_status": "corrected", "code": "D000001", "text": "acetylsalicylic acid"}

    found = links([], [relation(HEAD, TAIL)], entities=rows([corrected, TAIL]), touched={A})

    (row,) = found.rows.to_pylist()
    assert (row["head_code"], row["head_text"], row["tail_text"]) == (
        "D000001",
        "acetylsalicylic acid",
        "5 mg",
    )


def test_a_decided_link_needs_both_its_ends_in_a_new_text():
    old = [relation(HEAD, TAIL, status="accepted"), relation(TAIL, HEAD, kind="other", status="accepted")]

    assert links(old, [], texts={A: "aspirin 5 mg"}).reviews == Reviews(kept=2)
    assert len(links(old, [], texts={A: "aspirin 7 mg"}).reviews.unplaced) == 2


def test_stamping_changes_extraction_run_and_pipeline_and_nothing_else():
    before = rows([entity(A), entity(B)])

    after = stamped(before, STAMPED)

    assert after.schema == before.schema
    assert after.drop_columns(list(STAMPS)) == before.drop_columns(list(STAMPS))
    assert after.column("run_id").to_pylist() == ["run-2", "run-2"]


@given(
    old=st.lists(
        st.tuples(st.integers(0, 60), st.integers(1, 9), st.sampled_from([*DECIDED, "none"])), max_size=8
    ),
    new=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=12),
)
def test_no_decision_is_ever_lost_and_nothing_stands_twice(old, new):
    before = {
        one["row_id"]: one for s, n, status in old for one in [entity(start=s, end=s + n, status=status)]
    }
    after = {one["row_id"]: one for s, n in new for one in [entity(start=s, end=s + n)]}

    found = carried(list(before.values()), list(after.values())).rows.to_pylist()

    ids = [row["row_id"] for row in found]
    assert len(ids) == len(set(ids))
    decided = {
        row_id: one["review_status"] for row_id, one in before.items() if one["review_status"] != "none"
    }
    assert {row["row_id"]: row["review_status"] for row in found if row["review_status"] != "none"} == decided
    firm = [one for one in before.values() if one["review_status"] in {"accepted", "corrected"}]
    for row in found:
        if row["review_status"] == "none":
            assert not any(
                row["char_start"] < one["char_end"] and one["char_start"] < row["char_end"] for one in firm
            )


def test_no_rows_are_no_trouble():
    empty = pa.Table.from_batches([], schema=table_named("entities").arrow_schema())

    assert carry_entities(empty, empty, stamps={}).rows.num_rows == 0
