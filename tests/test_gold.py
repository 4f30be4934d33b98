"""Annotated files are read as they are, and refused with file and line where they do not fit."""

import gzip
import json

import pytest

from extractor.errors import InputError
from extractor.gold import gold_files, read_gold
from extractor.spans import Span

GOOD = {
    "id": "a",
    "text": "No fever after β-blockers.",
    "entities": [
        {
            "start": 3,
            "end": 8,
            "type": "finding",
            "text": "fever",
            "negation": "Negated",
            "temporality": "Recent",
        },
        {
            "start": 15,
            "end": 25,
            "type": "drug",
            "text": "β-blockers",
            "concept": "MESH:D000319",
            "tid": "T7",
        },
    ],
}


def written(tmp_path, *records, name="set.jsonl"):
    lines = [each if isinstance(each, str) else json.dumps(each) for each in records]
    path = tmp_path / name
    content = "\n".join(lines).encode()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def one(tmp_path, **changes):
    (document,) = read_gold([written(tmp_path, GOOD | changes)])
    return document


def test_a_record_is_read_with_its_mentions_and_what_is_said_of_them(tmp_path):
    document = one(tmp_path)

    fever, blockers = document.entities
    assert (fever.span, fever.type, fever.negated, fever.temporality) == (
        Span(3, 8),
        "finding",
        True,
        "recent",
    )
    assert (fever.experiencer, fever.concept) == (None, None)
    assert (blockers.span.of(document.text), blockers.concept) == ("β-blockers", "MESH:D000319")
    assert blockers.negated is None
    assert document.annotated


def test_plain_and_gzipped_files_of_a_folder_are_read_once_each_in_order(tmp_path):
    second = written(tmp_path, GOOD | {"id": "z"}, name="b.jsonl.gz")
    written(tmp_path, GOOD, "", GOOD | {"id": 3}, name="a.jsonl")
    (tmp_path / "README.md").write_text("no gold")

    assert [document.id for document in read_gold([tmp_path, second])] == ["a", "3", "z"]
    assert [path.name for path in gold_files([tmp_path])] == ["a.jsonl", "b.jsonl.gz"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"start": 2}, "entity 0 at 2..8 does not match its text"),
        ({"end": 99}, "entity 0 at 3..99 lies outside its text"),
        ({"start": 8, "end": 3}, "lies outside its text"),
        ({"start": "3"}, "lacks start, end or type"),
        ({"start": True}, "lacks start, end or type"),
        ({"text": None}, "does not match its text"),
        ({"negation": "perhaps"}, "neither Negated nor Affirmed"),
        ({"temporality": 7}, "temporality that is no text"),
    ],
)
def test_a_mention_that_does_not_fit_is_refused_with_file_and_line_and_without_a_quote(
    tmp_path, change, words
):
    wrong = GOOD | {"entities": [GOOD["entities"][0] | change]}
    path = written(tmp_path, GOOD, "", wrong)

    with pytest.raises(InputError) as refused:
        read_gold([path])

    assert "set.jsonl line 3" in str(refused.value)
    assert words in str(refused.value)
    assert "fever" not in str(refused.value)
    assert refused.value.code == "input.gold"
    assert refused.value.hint.startswith("Owner of the gold files")


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"id": "a"}', '{"text": "a"}', '{"id": "a", "text": "x", "entities": 3}', '{"id": "a", "text": "\\ud800"}']
)  # fmt: skip
def test_a_line_that_is_no_record_is_refused_with_its_number(tmp_path, line):
    with pytest.raises(InputError, match=r"set\.jsonl line 2"):
        read_gold([written(tmp_path, GOOD, line)])


def test_bytes_that_are_no_utf_8_are_refused_with_their_line(tmp_path):
    path = tmp_path / "latin.jsonl"
    path.write_bytes(b'{"id": "a", "text": "caf\xe9"}\n')

    with pytest.raises(InputError, match=r"latin\.jsonl line 1"):
        read_gold([path])


def test_a_cut_gzip_file_is_refused(tmp_path):
    whole = written(tmp_path, *[GOOD | {"id": str(n)} for n in range(400)], name="cut.jsonl.gz")
    whole.write_bytes(whole.read_bytes()[:-20])

    with pytest.raises(InputError, match=r"cut\.jsonl\.gz cannot be read"):
        read_gold([whole])


def test_a_file_that_is_not_there_and_a_folder_without_files_are_refused(tmp_path):
    for path in (tmp_path / "no.jsonl", tmp_path):
        with pytest.raises(InputError):
            read_gold([path])


def test_arguments_of_links_are_places_names_or_concepts(tmp_path):
    links = [
        {"type": "R", "arg1": 1, "arg2": 0},
        {"type": "R", "arg1": "T7", "arg2": "MESH:D1"},
        {"type": "OVERLAP", "args": ["T7", "T8"]},
    ]
    document = one(tmp_path, relations=links)

    assert [(link.arg1, link.arg2) for link in document.relations] == [(1, 0), (1, "MESH:D1")]
    assert document.relations_skipped == 1


@pytest.mark.parametrize("end", [2, -1, True, None, 1.0])
def test_a_link_to_nothing_is_refused(tmp_path, end):
    with pytest.raises(InputError, match="relation 0"):
        one(tmp_path, relations=[{"type": "R", "arg1": 0, "arg2": end}])


def test_mentions_in_pieces_or_without_place_and_unannotated_documents_are_told_apart(tmp_path):
    pieces = GOOD["entities"][0] | {"fragments": [[3, 5], [6, 8]]}
    document = one(
        tmp_path,
        entities=[pieces],
        entities_failed=[
            {"start": -1, "end": -1, "type": "finding", "text_source": "rash of arm", "concept": "-1"}
        ],
        meta={"unannotated": True},
    )

    assert not document.entities[0].contiguous
    assert [(each.type, each.text, each.concept) for each in document.failed] == [
        ("finding", "rash of arm", None)
    ]
    assert not document.annotated
