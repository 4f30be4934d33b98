from __future__ import annotations

import random

import pytest
from hypothesis import given, settings, strategies as st

from extractor.document import Word
from extractor.spans import BBox
from tests.layout.placing import HEIGHT, WIDTH, block_texts, grid, kinds, level, line, page, upright

places = st.floats(min_value=-40, max_value=820, allow_nan=False, width=32)
sizes = st.floats(min_value=0, max_value=90, allow_nan=False, width=32)
texts = st.text(alphabet="abcXYZ019:.,-שלום漢字", min_size=1, max_size=8)
words = st.lists(
    st.builds(
        lambda x, y, w, h, text: Word(text=text, box=BBox(x, y, x + w, y + h)),
        places,
        places,
        sizes,
        sizes,
        texts,
    ),
    max_size=40,
)
rulings = st.lists(
    st.one_of(
        st.builds(lambda y, x, length: level(y, x, x + length), places, places, sizes.map(lambda s: s * 6)),
        st.builds(lambda x, y, length: upright(x, y, y + length), places, places, sizes.map(lambda s: s * 6)),
    ),
    max_size=25,
)
angles = st.dictionaries(st.integers(0, 39), st.sampled_from([45, 90, 180, 270]), max_size=40)


@settings(max_examples=150, deadline=None)
@given(words, rulings, angles)
def test_every_word_comes_out_exactly_once_in_one_block_and_inside_the_page(
    given_words, given_rulings, turned
):
    turned = {index: angle for index, angle in turned.items() if index < len(given_words)}
    result = page(given_words, given_rulings, turned=turned)

    assert sorted(word.text for word in result.words) == sorted(word.text for word in given_words)
    covered = [index for block in result.blocks for index in range(block.first, block.last)]
    assert covered == list(range(len(given_words)))
    for word in result.words:
        assert 0 <= word.box.x0_pt <= word.box.x1_pt <= WIDTH
        assert 0 <= word.box.y0_pt <= word.box.y1_pt <= HEIGHT
    for table in result.tables:
        block = next(block for block in result.blocks if block.table_no == table.table_no)
        in_cells = [index for cell in table.cells for index in range(cell.first, cell.last)]
        assert in_cells == list(range(block.first, block.last))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 5), min_size=3, max_size=3), min_size=2, max_size=6), st.randoms())
def test_the_cells_of_a_full_grid_come_back_as_they_were_set(rows, chance):
    xs, ys = [50.0, 200.0, 350.0, 500.0], [100.0 + 40 * number for number in range(len(rows) + 1)]
    rows[0][0], rows[-1][-1] = 1, 1
    placed, expected = [], []
    for row_index, row in enumerate(rows):
        expected.append([])
        for column, count in enumerate(row):
            text = " ".join(f"r{row_index}c{column}w{number}" for number in range(count))
            for number, word in enumerate(text.split()):
                placed += line(
                    xs[column] + 5 + 60 * (number % 2), ys[row_index] + 2 + 12 * (number // 2), word
                )
            expected[-1].append(text)
    chance.shuffle(placed)
    result = page(placed, grid(xs, ys))
    assert result.tables[0].grid(result) == expected


def test_the_order_in_which_words_come_does_not_matter():
    placed = (
        line(50, 50, "First line of a letter")
        + line(50, 64, "and its second line")
        + line(50, 110, "Next part")
    )
    shuffled = placed[:]
    random.Random(7).shuffle(shuffled)
    assert (
        page(shuffled).text == page(placed).text == "First line of a letter\nand its second line\n\nNext part"
    )


def test_two_columns_are_read_one_after_the_other_under_a_common_title():
    placed = line(150, 40, "A Title Over Both Columns Of The Page")
    for number in range(8):
        placed += line(50, 80 + 12 * number, f"left line number {number} with some more words")
        placed += line(330, 80 + 12 * number, f"right line number {number} with some more words")
    text = page(placed).text
    assert text.startswith("A Title")
    assert text.index("left line number 7") < text.index("right line number 0")


def test_three_columns_of_unequal_length_are_read_from_left_to_right():
    placed = []
    for column, count in enumerate((10, 9, 5)):
        for number in range(count):
            placed += line(30 + 190 * column, 80 + 12 * number, f"c{column} line {number} has some words")
    text = page(placed).text
    assert (
        text.index("c0 line 9") < text.index("c1 line 0") < text.index("c1 line 8") < text.index("c2 line 0")
    )


def test_a_hanging_quotation_mark_does_not_join_two_columns():
    placed = []
    for number in range(9):
        placed += line(50, 80 + 12 * number, f"left line number {number} with some more words")
        placed += line(
            325 if number == 4 else 330, 80 + 12 * number, f"right line number {number} with some more words"
        )
    text = page(placed).text
    assert text.index("left line number 8") < text.index("right line number 0")


def test_two_columns_with_a_table_each_are_not_read_across():
    placed, rulings = [], []
    for side, x in (("left", 40), ("right", 320)):
        for number in range(3):
            placed += line(x, 40 + 14 * number, f"{side} heading {number}")
            placed += line(x, 160 + 14 * number, f"{side} remark {number}")
        for row in range(3):
            placed += line(x + 4, 94 + 20 * row, f"{side}{row}") + line(x + 104, 94 + 20 * row, "value")
        rulings += grid([x, x + 100, x + 200], [90, 110, 130, 150])
    text = page(placed, rulings).text
    assert text.index("left remark 2") < text.index("right heading 0")


def test_justified_columns_whose_lines_fall_apart_into_words_are_columns():
    placed = []
    for column, x in enumerate((40.0, 212.0, 384.0)):
        for number in range(20):
            chance = random.Random(100 * column + number)
            lengths = [chance.choice([3, 4, 5, 6, 7]) for _ in range(4)]
            gap = (160.0 - 6 * sum(lengths)) / 3  # 8 to 20 points: wider than between words of a ragged line
            left = x
            for place, length in enumerate(lengths):
                text = f"{'abc'[column]}{number}{'wxyz'[place]}".ljust(length, "o")
                placed.append(
                    Word(text=text, box=BBox(left, 40 + 12 * number, left + 6 * length, 50 + 12 * number))
                )
                left += 6 * length + gap
    text = page(placed).text
    assert text.index("a19w") < text.index("b0w") < text.index("b19w") < text.index("c0w")


def test_rows_of_short_entries_in_even_columns_are_not_parted():
    placed = []
    for number in range(20):
        for column in range(6):
            placed += line(40 + 90 * column, 40 + 12 * number, f"r{number}c{column}")
    assert page(placed).text.startswith("r0c0\tr0c1\tr0c2\tr0c3\tr0c4\tr0c5\nr1c0")


def test_keys_and_values_side_by_side_stay_in_rows():
    placed = []
    for number, (key, value) in enumerate(
        [("Batch No", "A-17"), ("Product", "Tablets"), ("Site", "Plant 4"), ("Size", "10 kg")]
    ):
        placed += line(50, 80 + 14 * number, key) + line(250, 80 + 14 * number, value)
    result = page(placed)
    assert result.text == "Batch No A-17\nProduct Tablets\nSite Plant 4\nSize 10 kg"
    assert kinds(result) == ["key_value"]


def test_large_or_bold_short_lines_are_headings():
    placed = line(50, 40, "Results", height=16) + line(50, 80, "Plain text of the body goes here.")
    placed += line(50, 92, "It has two lines at least.") + line(50, 120, "Summary")
    bold = {len(placed) - 1}
    assert kinds(page(placed, bold=bold)) == ["heading", "paragraph", "heading"]


def test_cells_of_a_row_are_parted_by_tabs_and_lines_of_a_cell_by_spaces():
    placed = line(55, 102, "Croscarmell") + line(55, 114, "ose Sodium") + line(205, 102, "5.00 kg")
    placed += line(55, 142, "Talc") + line(205, 142, "3.00 kg") + line(50, 40, "Dispensing:")
    result = page(placed, grid([50.0, 200.0, 350.0], [100.0, 140.0, 180.0]))
    assert result.text == "Dispensing:\n\nCroscarmell ose Sodium\t5.00 kg\nTalc\t3.00 kg"
    assert kinds(result)[1] == "table"


def test_a_word_without_a_box_is_refused():
    with pytest.raises(ValueError, match="box"):
        page([Word(text="lost")])


def test_confidence_is_weighted_by_characters():
    box = BBox(10, 10, 40, 20)
    result = page(
        [Word(text="aaaa", box=box, confidence=1.0), Word(text="b", box=BBox(50, 10, 60, 20), confidence=0.0)]
    )
    assert result.confidence == pytest.approx(0.8)
    assert page([Word(text="a", box=box)]).confidence is None


def test_a_page_of_turned_text_is_read_in_its_direction_and_keeps_its_boxes():
    # three lines that read downwards: the first stands furthest to the right
    placed = [
        Word(text=text, box=BBox(x, y, x + 10, y + 40))
        for x, row in ((500, "one two"), (480, "three four"), (460, "five six"))
        for y, text in zip((100, 150), row.split(), strict=True)
    ]
    result = page(placed[::-1], turned=dict.fromkeys(range(6), 90))
    assert result.text.split() == ["one", "two", "three", "four", "five", "six"]
    assert result.words[0].box == BBox(500, 100, 510, 140)


def test_a_stamp_along_the_edge_comes_after_the_text_it_stands_beside():
    stamp = [Word(text=text, box=BBox(10, y, 20, y + 60)) for y, text in ((300, "arXiv"), (220, "2020"))]
    placed = stamp + [
        word for number in range(6) for word in line(60, 200 + 14 * number, f"body line {number}")
    ]
    result = page(placed, turned={0: 270, 1: 270})
    assert block_texts(result)[-1] == "arXiv 2020"
    assert "arXiv" not in block_texts(result)[0]


def test_words_written_from_right_to_left_are_read_that_way_with_numbers_in_their_own_order():
    placed = [
        Word(text=text, box=BBox(x, 50, x + 40, 60))
        for x, text in ((300, "שלום"), (250, "עולם"), (150, "12"), (195, "kg"), (100, "סוף"))
    ]
    assert page(placed).text == "שלום עולם 12 kg סוף"


def test_a_page_without_words_is_blank():
    result = page([], grid([50.0, 200.0, 350.0], [100.0, 140.0, 180.0]))
    assert (result.text, result.blocks, result.tables) == ("", (), ())
