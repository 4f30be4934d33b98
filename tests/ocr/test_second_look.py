import numpy as np

from extractor.ocr.ink import find_ink
from extractor.ocr.second_look import Place, find_places, is_upended, lost_columns, merge, strip_of, unread
from extractor.ports import OcrWord


def word(text, box, confidence=0.95):
    return OcrWord(text=text, x0_px=box[0], y0_px=box[1], x1_px=box[2], y1_px=box[3], confidence=confidence)


def letters(*places):
    """A picture with blocks of letter size, 12 by 16 pixels, at these corners."""
    image = np.full((200, 600), 255, np.uint8)
    for x, y in places:
        image[y : y + 16, x : x + 12] = 0
    return image


FIRST = word("good", (10, 10, 60, 30))
DOUBTFUL = word("d0ubt", (70, 10, 120, 30), 0.4)


def test_letters_in_no_word_are_unread():
    ink = find_ink(letters((10, 20), (30, 20), (300, 100)))

    left = unread(ink, [word("ab", (8, 18, 44, 38))], scale=1.0)

    assert left[:, :2].tolist() == [[300, 100]]


def test_doubtful_words_and_unread_letters_become_places():
    ink = find_ink(letters((10, 12), (75, 12), (300, 100), (316, 100)))

    places = find_places([FIRST, DOUBTFUL], ink, scale=1.0, doubtful={1})

    assert [place.words for place in places] == [(1,), ()]
    assert places[0].box[0] > FIRST.x1_px
    assert places[1].box == (300, 100, 328, 116)


def test_doubt_spreads_over_pieces_that_no_space_parts():
    pieces = [
        word("http:", (10, 10, 60, 30), 0.2),
        word("//www", (62, 10, 110, 30)),
        word("is", (130, 10, 150, 30)),
    ]
    ink = find_ink(letters((10, 12), (70, 12), (132, 12)))

    assert [place.words for place in find_places(pieces, ink, scale=1.0, doubtful={0})] == [(0, 1)]


def test_a_column_of_letters_read_as_one_word_is_taken_apart():
    column = word("<<<", (98, 10, 114, 130))
    ink = find_ink(letters((100, 12), (100, 62), (100, 112), (200, 12)))

    assert is_upended(column, 16.0)
    places = find_places([column, word("x", (198, 10, 214, 30))], ink, scale=1.0, doubtful=())
    assert [place.words for place in places] == [(0,), (0,), (0,)]
    assert all(place.letters for place in places)


def test_a_seal_taken_for_a_word_on_end_is_no_lost_column():
    rows = letters((100, 12), (100, 62), (100, 112), (400, 12), (420, 12), (440, 12))
    column, seal = word("<<<", (98, 10, 114, 130)), word("(4", (200, 10, 260, 130))
    around = [word("abc", (398, 10, 456, 30))]

    assert lost_columns([column, *around], find_ink(rows), scale=1.0) == 1
    assert lost_columns([seal, *around], find_ink(rows), scale=1.0) == 0
    rows[20:110, 205:255] = 0  # the seal's own ink is larger than any letter
    assert lost_columns([seal, *around], find_ink(rows), scale=1.0) == 0


def test_a_surer_reading_replaces_a_doubtful_one_and_only_that():
    place = Place(box=(70, 10, 120, 30), words=(1,))

    merged = merge([FIRST, DOUBTFUL], [place], [[word("doubt", (70, 10, 120, 30), 0.99)]], letter_px=16)

    assert [found.text for found in merged] == ["good", "doubt"]


def test_the_same_signs_keep_the_first_engines_spaces_and_gain_confidence():
    words = [word("14,", (0, 0, 20, 20), 0.5), word("2007", (30, 0, 70, 20), 0.5)]

    merged = merge(
        words,
        [Place(box=(0, 0, 70, 20), words=(0, 1))],
        [[word("14,2007", (0, 0, 70, 20), 0.99)]],
        letter_px=16,
    )

    assert [(found.text, found.confidence) for found in merged] == [("14,", 0.99), ("2007", 0.99)]


def test_no_word_is_dropped_for_nothing_or_for_another_script():
    place = Place(box=DOUBTFUL_BOX, words=(0,))

    assert merge([DOUBTFUL], [place], [[]], letter_px=16) == [DOUBTFUL]
    assert merge([DOUBTFUL], [place], [[word("一", DOUBTFUL_BOX, 0.99)]], letter_px=16) == [DOUBTFUL]
    assert merge([DOUBTFUL], [place], [[word("dxubt", DOUBTFUL_BOX, 0.5)]], letter_px=16) == [DOUBTFUL]


DOUBTFUL_BOX = (70, 10, 120, 30)


def test_unread_letters_are_added_when_the_second_reading_is_sure():
    place = Place(box=(300, 100, 328, 116), words=(), letters=True)

    sure = merge([FIRST], [place], [[word("62", (300, 100, 328, 116), 0.99)]], letter_px=16)
    unsure = merge([FIRST], [place], [[word("62", (300, 100, 328, 116), 0.4)]], letter_px=16)

    assert [found.text for found in sure] == ["good", "62"]
    assert unsure == [FIRST]


def test_a_lone_flat_blob_is_a_dash():
    place = Place(box=(300, 100, 330, 103), words=(), letters=True)

    assert [found.text for found in merge([], [place], [[]], letter_px=16)] == ["—"]


def test_a_strip_stays_inside_the_picture():
    strip, left, top = strip_of(letters(), Place(box=(0, 0, 599, 199), words=()))

    assert (strip.shape, left, top) == ((200, 600), 0.0, 0.0)
