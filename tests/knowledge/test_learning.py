"""Annotated text teaches names and weights; a text never teaches from its own annotations."""

import json

import pytest

from extractor.errors import ConfigError, InputError
from extractor.knowledge.candidates import FEATURES, Candidate, Candidates
from extractor.knowledge.learning import Example, codes_of, fit, gold_texts, lexicon_of
from extractor.knowledge.linking import Linking
from tests.knowledge import made


def test_a_concept_that_only_the_texts_know_becomes_one_of_the_base(base):
    row = base.with_code("OMIM:900900")

    assert base.concept(row).display in {"grumble", "Grumble"}
    assert base.lexicon["grumble"] == {"OMIM:900900": 2}


def test_a_text_is_hidden_from_its_own_candidates(base, tmp_path):
    text = gold_texts([made.texts(tmp_path) / "train.jsonl"])[2]
    candidates = Candidates(base)
    mentions = [mention for mention, _ in text.mentions]
    row = base.with_code("OMIM:900900")

    seen = candidates.context(text.text, mentions)
    hidden = candidates.context(text.text, mentions, hidden=lexicon_of([text]))

    assert row in {found.row for found in candidates.of("Grumble", "disease", seen)}
    assert row not in {found.row for found in candidates.of("Grumble", "disease", hidden)}


def test_composite_and_absent_annotations_are_told_apart():
    assert codes_of("MESH:D1|MESH:D2") == codes_of("MESH:D1+MESH:D2") == ("MESH:D1", "MESH:D2")
    assert codes_of("OMIM:1") == ("OMIM:1",)
    assert codes_of(None) == codes_of("-1") == codes_of("MESH:-1") == ()


def test_the_ranker_learns_which_feature_tells_the_right_candidate():
    def candidate(row, **given):
        return Candidate(row, tuple(1.0 if name == "bias" else given.get(name, 0.0) for name in FEATURES))

    pair = (candidate(1, exact=1.0), candidate(2, cosine=1.0))
    learned = fit([Example(pair, (0,), 3), Example((candidate(3),), (), 2)])

    assert learned["weights"]["exact"] > 0 > learned["weights"]["cosine"]
    assert learned["weights"]["bias"] < 0
    assert learned["accuracy"] == 1.0
    assert fit([Example(pair, (0,), 3), Example((candidate(3),), (), 2)]) == learned


def test_nothing_to_learn_from_is_said():
    with pytest.raises(ConfigError, match="nothing can be learned"):
        fit([])


def test_a_line_that_is_no_record_is_named(tmp_path):
    (tmp_path / "bad.jsonl").write_text(json.dumps({"id": "1", "text": "x", "entities": []}) + "\n{\n")

    with pytest.raises(InputError, match="line 2"):
        gold_texts([tmp_path / "bad.jsonl"])


def test_the_answer_is_none_below_the_threshold(base):
    candidates = Candidates(base)
    context = candidates.context("", [])
    found = candidates.of("azure fever", "disease", context)

    assert Linking(base, threshold=0.0).choose(found) is not None
    assert Linking(base, threshold=1.0).choose(found) is None
    probabilities = [link.probability for link in Linking(base).ranked(found)]
    assert sum(probabilities) <= 1.0
    assert probabilities == sorted(probabilities, reverse=True)


def test_a_pack_without_learned_names_is_ranked_by_weights_learned_without_them(base):
    assert base.ranker["plain"]["weights"]["learned"] == 0.0
    assert base.ranker["learned"]["weights"]["learned"] != 0.0
    plain, learned = Linking(base, learned=False), Linking(base)
    context = plain.candidates.context("", [])
    assert plain.candidates.of("grumble", "disease", context) == []
    assert learned.best("grumble", "disease", context) is not None
