"""Decoding: the best well-formed path, as trying all of them finds it."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, strategies as st

from extractor.ner.decoding import decode, log_softmax
from extractor.ner.labels import LabelSet

LABELS = LabelSet(("drug", "dose"))


def well_formed(path):
    open_kind = None
    for label in path:
        kind, part = (None, "O") if label == 0 else ((label - 1) // 4, "BIES"[(label - 1) % 4])
        if part in {"I", "E"} if open_kind is None else (part not in {"I", "E"} or kind != open_kind):
            return False
        open_kind = kind if part in {"B", "I"} else None
    return open_kind is None


PATHS = {
    length: [path for path in product(range(len(LABELS.names)), repeat=length) if well_formed(path)]
    for length in range(1, 5)
}


def best_path(scores):
    return max(
        PATHS[len(scores)],
        key=lambda path: sum(float(row[label]) for row, label in zip(scores, path, strict=True)),
    )


def made(length, seed):
    return log_softmax(np.random.default_rng(seed).normal(0, 2, (length, 9)).astype(np.float32))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2**32 - 1)), max_size=6))
def test_the_path_is_the_best_of_all_well_formed_ones(drawn):
    sequences = [made(length, seed) for length, seed in drawn]

    found = decode(sequences)

    for scores, spans in zip(sequences, found, strict=True):
        expected = LABELS.spans(best_path(scores)) if len(scores) else []
        assert [(span.first, span.last, LABELS.types[span.kind]) for span in spans] == expected
        assert all(0.0 <= span.score <= 1.0 for span in spans)


def test_the_score_is_the_least_sure_words_probability_of_its_part():
    probabilities = np.full((2, 9), 0.01)
    probabilities[0, 1], probabilities[1, 3] = 0.92, 0.6  # B-drug, E-drug
    probabilities[1, 2] = 0.2  # I-drug is another part: the mention would end elsewhere
    probabilities[1, 0] = 0.14
    (span,) = decode([np.log(probabilities).astype(np.float32)])[0]

    assert (span.first, span.last, LABELS.types[span.kind]) == (0, 2, "drug")
    assert span.score == pytest.approx(0.6, abs=1e-5)


def test_types_that_are_kin_share_their_score():
    probabilities = np.full((1, 9), 0.01)
    probabilities[0, 4], probabilities[0, 8] = 0.5, 0.4  # S of either type

    (alone,) = decode([np.log(probabilities).astype(np.float32)])[0]
    (together,) = decode([np.log(probabilities).astype(np.float32)], [(0, 1), (0, 1)])[0]

    assert alone.kind == together.kind == 0
    assert (alone.score, together.score) == (pytest.approx(0.5, abs=1e-5), pytest.approx(0.9, abs=1e-5))


def test_many_sequences_decode_as_they_do_alone():
    sequences = [made(seed % 5, seed) for seed in range(150)]

    assert decode(sequences) == [decode([scores])[0] for scores in sequences]


def test_log_softmax_stays_finite_for_large_scores():
    found = log_softmax(np.array([[1e4, 0.0, -1e4]], dtype=np.float32))

    assert np.isfinite(found).all()
    assert np.exp(found).sum() == pytest.approx(1)


def test_labels_that_repeat_another_one_do_not_count_twice():
    counted = np.array([True, True, True, False, False])
    logits = np.log(np.array([[0.4, 0.5, 0.1, 0.1, 0.5]], dtype=np.float32))

    found = log_softmax(logits, counted)
    (span,) = decode([found])[0]

    assert np.exp(found[0, counted]).sum() == pytest.approx(1)
    assert span.score == pytest.approx(0.5, abs=1e-5)
