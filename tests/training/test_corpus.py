"""What an annotated corpus teaches about each word, and what it leaves open."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from extractor.errors import ConfigError, InputError
from extractor.ner.features import Features
from extractor.ner.labels import LabelSet
from extractor.ner.pieces import Pieces
from extractor.ner.words import words_of
from extractor.training.corpus import Corpus, Example, ExampleMaker, Masks, drawn, read_records
from tests.ner import made
from tests.ner.test_features import vocabulary

LABELS = LabelSet()


@pytest.fixture(scope="module")
def pieces(tmp_path_factory):
    return Pieces(made.word_piece(tmp_path_factory.mktemp("pieces")))


def corpus(types, **settings):
    return Corpus.of({"name": "made", "files": ["made.jsonl"], "types": types, **settings}, Path())


def record(text, *mentions, relations=()):
    """Mentions are (quoted text, type); ``tid`` counts them."""
    entities = [
        {"start": text.index(quoted), "end": text.index(quoted) + len(quoted), "type": kind, "tid": f"T{number}"}
        for number, (quoted, kind) in enumerate(mentions)
    ]  # fmt: skip
    return {"id": "1", "text": text, "entities": entities, "relations": list(relations)}


def taught(pieces, own, given):
    """Per word: (labels allowed, labels competing) by name, None where nothing is taught."""
    masks = Masks(LABELS)
    numbers = ExampleMaker(pieces, None, masks, limit=64).allowed(own, given, words_of(given["text"]))
    allowed, competing = masks.matrices()

    def named(row):
        return {LABELS.names[place] for place, holds in enumerate(row) if holds}

    return [None if number < 0 else (named(allowed[number]), named(competing[number])) for number in numbers]


def parts(*kinds):
    return {f"{part}-{kind}" for kind in kinds for part in "BIES"}


def test_what_a_corpus_does_not_annotate_is_not_taught_as_absent(pieces):
    found = taught(
        pieces, corpus({"Chemical": ["drug"]}), record("aspirin for fever", ("aspirin", "Chemical"))
    )

    assert found[0] == ({"S-drug"}, set(LABELS.names))
    assert found[1] == found[2] == ({"O"}, {"O"} | parts("drug"))


def test_a_type_that_may_be_several_of_ours_allows_each(pieces):
    own = corpus({"Finding": ["disease", "sign_symptom"]})
    found = taught(pieces, own, record("severe headache", ("severe headache", "Finding")))

    assert [allowed for allowed, _ in found] == [
        {"B-disease", "B-sign_symptom"},
        {"E-disease", "E-sign_symptom"},
    ]


def test_a_mention_without_a_type_of_ours_leaves_its_words_open(pieces):
    found = taught(
        pieces, corpus({"Chemical": ["drug"], "DNA": []}), record("the promoter", ("promoter", "DNA"))
    )

    assert found[1] is None
    assert found[0][0] == {"O"}


def test_a_type_that_is_not_named_teaches_nothing_of_itself(pieces):
    found = taught(pieces, corpus({"Chemical": ["drug"]}), record("the fever", ("fever", "Disease")))

    assert found[1] == ({"O"}, {"O"} | parts("drug"))


def test_says_states_what_is_absent(pieces):
    own = corpus({"Chemical": ["drug"]}, says=["drug", "dose"])

    assert taught(pieces, own, record("nothing"))[0] == ({"O"}, {"O"} | parts("drug", "dose"))


def test_a_mention_that_another_points_at_is_narrowed(pieces):
    own = corpus(
        {"Test": ["diagnostic_procedure", "lab_test"], "Value": ["lab_value"]},
        narrowed={"Test": ["MODIFY", "Value", "lab_test"]},
    )
    link = {"type": "MODIFY", "arg1": "T1", "arg2": "T0"}
    text, mentions = "sodium 140 then imaging", (("sodium", "Test"), ("140", "Value"), ("imaging", "Test"))

    found = taught(pieces, own, record(text, *mentions, relations=[link]))

    assert found[0][0] == {"S-lab_test"}
    assert found[3][0] == {"S-diagnostic_procedure", "S-lab_test"}
    other = {"type": "OVERLAP", "arg1": "T1", "arg2": "T0"}
    assert taught(pieces, own, record(text, *mentions, relations=[other]))[0] == found[3]


def test_spans_that_are_alternatives_are_left_open_where_the_corpus_has_such(pieces):
    given_record = record("human aspirin and fever", ("human aspirin", "G"), ("aspirin", "G"), ("fever", "G"))

    open_ones = taught(pieces, corpus({"G": ["gene"]}, alternatives=True), given_record)
    nested = taught(pieces, corpus({"G": ["gene"]}), given_record)

    assert open_ones[0] is open_ones[1] is None
    assert open_ones[3][0] == {"S-gene"}
    assert [allowed for allowed, _ in nested[:2]] == [{"B-gene"}, {"E-gene"}]  # the outer one counts


def test_a_mention_that_ends_inside_a_word_teaches_nothing_about_it(pieces):
    found = taught(pieces, corpus({"G": ["gene"]}), record("the aspirins here", ("aspirin", "G")))

    assert [each is None for each in found] == [False, True, False]


def test_examples_are_windows_with_a_mask_on_the_first_piece_of_each_word(pieces):
    masks = Masks(LABELS)
    maker = ExampleMaker(pieces, Features(vocabulary("xyz"), vocabulary()), masks, limit=64)
    (example,) = maker.examples(corpus({"C": ["drug"]}), record("took xyz", ("xyz", "C")))

    assert [made.VOCABULARY[piece] for piece in example.ids] == ["[CLS]", "took", "x", "##y", "##z", "[SEP]"]
    assert example.features == (0, 0, 5, 5, 5, 0)
    assert [mask >= 0 for mask in example.masks] == [False, True, True, False, False, False]


@given(st.text(max_size=200), st.integers(4, 40))
def test_windows_of_a_record_teach_every_word_that_has_pieces(pieces, text, limit):
    maker = ExampleMaker(pieces, None, Masks(LABELS), limit=limit)
    examples = list(maker.examples(corpus({"C": ["drug"]}), {"text": text, "entities": []}))
    shown = sum(mask >= 0 for example in examples for mask in example.masks)

    assert shown >= sum(bool(own) for own in pieces.of(words_of(text).texts))
    assert all(len(each.ids) == len(each.features) == len(each.masks) for each in examples)


def written(path, *lines):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding="utf-8") as stream:
        stream.write("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


@pytest.mark.parametrize("name", ["made.jsonl", "made.jsonl.gz"])
def test_records_are_read_plain_and_packed(tmp_path, name):
    path = written(tmp_path / name, record("aspirin", ("aspirin", "C")), record("none"))

    assert [each["text"] for each in read_records(path)] == ["aspirin", "none"]


@pytest.mark.parametrize(
    "line",
    [
        "{", "[]", '"text"', '{"text": "a"}', '{"text": null, "entities": []}', '{"text": "a", "entities": [{}]}',
        '{"text": "abc", "entities": [{"start": 2, "end": 4, "type": "C"}]}',
        '{"text": "abc", "entities": [{"start": 2, "end": 2, "type": "C"}]}',
        '{"text": "abc", "entities": [{"start": "0", "end": 2, "type": "C"}]}',
    ],
)  # fmt: skip
def test_a_line_that_is_no_record_is_told_by_number_and_without_its_text(tmp_path, line):
    path = written(tmp_path / "made.jsonl", record("aspirin", ("aspirin", "C")), line)

    with pytest.raises(InputError, match="line 2 of a corpus file is no record") as told:
        list(read_records(path))
    assert "abc" not in str(told.value)


@pytest.mark.parametrize(
    "content",
    [None, b"\x1f\x8b\x08broken", b"no gzip", gzip.compress(b"{" * 5000, mtime=0)[:-9]],
    ids=["absent", "broken", "no gzip", "cut short"],
)
def test_a_file_that_cannot_be_read_is_an_input_error(tmp_path, content):
    path = tmp_path / "made.jsonl.gz"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(InputError, match="corpus file"):
        list(read_records(path))


def test_bytes_that_are_no_utf8_are_an_input_error(tmp_path):
    (tmp_path / "made.jsonl").write_bytes(b'{"text": "\xff"}')

    with pytest.raises(InputError, match="UnicodeDecodeError"):
        list(read_records(tmp_path / "made.jsonl"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"typse": {}}, "unknown key 'typse' of a training corpus; known: alternatives, files, name, narrowed, says"),
        ({"types": {"C": ["drugs"]}}, "no type 'drugs'"),
        ({"says": ["medicine"]}, "no type 'medicine'"),
    ],
)  # fmt: skip
def test_a_corpus_setting_that_does_not_fit_is_told(change, message):
    with pytest.raises(ConfigError, match=message):
        Corpus.of({"name": "made", "files": [], "types": {"C": ["drug"]}, **change}, Path())


def test_a_missing_corpus_setting_is_told():
    with pytest.raises(ConfigError, match="lacks 'types'"):
        Corpus.of({"name": "made", "files": []}, Path())


EXAMPLES = [Example((number,), (0,), (0,)) for number in range(10)]


def test_epochs_go_round_through_all_of_a_corpus():
    epochs = [{example.ids[0] for example in drawn(EXAMPLES, 0.3, epoch, seed=1)} for epoch in range(4)]

    assert [len(epoch) for epoch in epochs] == [3, 3, 3, 3]
    assert set().union(*epochs) == set(range(10))
    assert not epochs[0] & epochs[1]


def test_a_share_beyond_one_repeats_part_of_a_corpus():
    numbers = [example.ids[0] for example in drawn(EXAMPLES, 1.5, 0, seed=1)]

    assert len(numbers) == 15
    assert set(numbers) == set(range(10))


def test_an_empty_corpus_gives_nothing_to_draw():
    assert drawn([], 0.5, 3, seed=1) == drawn([], 2.0, 0, seed=1) == []


def test_drawing_depends_on_seed_and_epoch_alone():
    assert drawn(EXAMPLES, 0.5, 2, seed=4) == drawn(EXAMPLES, 0.5, 2, seed=4)
    assert drawn(EXAMPLES, 0.5, 2, seed=4) != drawn(EXAMPLES, 0.5, 2, seed=5)
