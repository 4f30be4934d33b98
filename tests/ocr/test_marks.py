import cv2
import numpy as np
import pytest

from extractor.ocr.marks import dash_of, is_suspect, name_bullets, split_gaps
from extractor.ports import OcrWord


def word(text, box=(0, 0, 20, 20), confidence=0.6):
    return OcrWord(text=text, x0_px=box[0], y0_px=box[1], x1_px=box[2], y1_px=box[3], confidence=confidence)


def columns(*runs, height=30, width=200):
    image = np.full((height, width), 255, np.uint8)
    for x0, x1 in runs:
        image[4:26, x0:x1] = 0
    return image


def test_a_filled_disc_read_as_a_letter_is_a_bullet_and_a_ring_is_not():
    mask = np.zeros((40, 80), np.uint8)
    cv2.circle(mask, (15, 20), 5, 255, -1)
    cv2.circle(mask, (60, 20), 5, 255, 2)
    words = [word("e", (8, 13, 22, 27)), word("o", (53, 13, 67, 27)), word("eel", (8, 13, 22, 27))]

    named = name_bullets(words, mask, scale=1.0, letter_px=20.0)

    assert [found.text for found in named] == ["•", "o", "eel"]
    assert named[0].confidence > 0.9


def test_a_blotted_letter_within_a_sentence_stays_a_letter():
    mask = np.zeros((40, 120), np.uint8)
    cv2.circle(mask, (75, 20), 5, 255, -1)
    words = [word("is", (20, 8, 55, 30)), word("a", (68, 13, 82, 27))]

    assert [found.text for found in name_bullets(words, mask, scale=1.0, letter_px=20.0)] == ["is", "a"]


@pytest.mark.parametrize(
    ("size", "dash"), [((40, 3), "—"), ((20, 3), "\u2013"), ((5, 3), None), ((90, 3), None), ((30, 20), None)]
)
def test_a_flat_blob_is_a_dash_of_its_width(size, dash):
    assert dash_of(*size, 20.0) == dash


def test_a_gap_as_wide_as_a_space_parts_a_word_at_the_change_of_sign():
    image = columns((0, 12), (30, 42), (45, 57), (60, 72))

    parts = split_gaps([word("4RPM", (0, 0, 72, 30))], image, 20.0)

    assert [part.text for part in parts] == ["4", "RPM"]
    assert parts[0].x1_px < parts[1].x0_px


def test_even_gaps_and_full_stops_part_nothing():
    spaced = columns((0, 12), (24, 36), (48, 60))
    stop = columns((0, 12), (14, 26), (40, 44))

    assert len(split_gaps([word("abc", (0, 0, 60, 30))], spaced, 20.0)) == 1
    assert len(split_gaps([word("ab.", (0, 0, 44, 30))], stop, 20.0)) == 1


def test_a_first_sign_lower_than_the_digits_after_it_is_no_digit():
    image = columns((14, 26), (30, 42))
    image[9:26, 0:10] = 0  # five pixels lower than its neighbours

    assert is_suspect(word("290", (0, 0, 43, 29)), image)
    assert not is_suspect(word("90", (14, 0, 43, 29)), image)
    assert is_suspect(word("<4.0"), image)
    assert not is_suspect(word("limit"), image)
