from __future__ import annotations

from tests.layout.placing import block_texts, grid, kinds, level, line, page, upright

XS, YS = [50.0, 200.0, 350.0, 500.0], [100.0, 120.0, 140.0, 160.0]


def filled(rows, xs=XS, ys=YS):
    return [
        word
        for y, row in zip(ys, rows, strict=False)
        for x, text in zip(xs, row, strict=False)
        for word in line(x + 5, y + 4, text)
    ]


def test_blank_cells_are_cells():
    result = page(filled([["a", "", "c"], ["", "e", ""], ["g", "h", "i"]]), grid(XS, YS))
    table = result.tables[0]
    assert table.grid(result) == [["a", "", "c"], ["", "e", ""], ["g", "h", "i"]]
    assert sum(cell.first == cell.last for cell in table.cells) == 3
    assert (table.row_count, table.column_count) == (3, 3)


def test_a_missing_line_merges_cells_across_columns_and_rows():
    rulings = [level(y, 50, 500) for y in (100, 120, 160)] + [level(140, 200, 500)]
    rulings += [upright(x, 100, 160) for x in (50, 500)] + [upright(x, 120, 160) for x in (200, 350)]
    result = page(filled([["Over all three", "", ""], ["tall", "e", "f"], ["", "h", "i"]]), rulings)
    spans = {
        (cell.row_no, cell.column_no): (cell.row_span, cell.column_span) for cell in result.tables[0].cells
    }
    assert spans == {
        (1, 1): (1, 3),
        (2, 1): (2, 1),
        (2, 2): (1, 1),
        (2, 3): (1, 1),
        (3, 2): (1, 1),
        (3, 3): (1, 1),
    }
    assert result.text == "Over all three\ntall\te\tf\nh\ti"


def test_a_table_without_side_lines_has_its_outer_columns():
    rulings = [level(y, 50, 500) for y in YS] + [upright(x, 100, 160) for x in (200, 350)]
    result = page(filled([["a", "b", "c"], ["d", "e", "f"], ["g", "h", "i"]]), rulings)
    assert result.tables[0].grid(result) == [["a", "b", "c"], ["d", "e", "f"], ["g", "h", "i"]]


def test_double_and_broken_lines_are_one_line():
    rulings = [*grid(XS, YS), level(101.5, 50, 500), upright(51.2, 100, 160)]
    rulings += [level(180, 50, 300), level(180.4, 301, 500), *(upright(x, 160, 180) for x in XS)]
    result = page(filled([["a", "b", "c"]] * 4, ys=[*YS, 180.0]), rulings)
    assert (result.tables[0].row_count, result.tables[0].column_count) == (4, 3)


def test_an_underline_inside_a_cell_makes_no_row():
    result = page(
        filled([["a", "b", "c"], ["d", "e", "f"], ["g", "h", "i"]]), [*grid(XS, YS), level(136, 210, 260)]
    )
    assert result.tables[0].row_count == 3


def test_a_frame_around_text_is_no_table():
    result = page(line(60, 110, "A note in a box"), grid([50.0, 500.0], [100.0, 140.0]))
    assert result.tables == ()
    assert kinds(result) == ["paragraph"]


def test_a_page_frame_does_not_swallow_the_table_inside_it():
    rulings = grid(XS, YS) + grid([20.0, 580.0], [20.0, 780.0])
    result = page(
        filled([["a", "b", "c"], ["d", "e", "f"], ["g", "h", "i"]]) + line(50, 400, "Text below"), rulings
    )
    assert result.tables[0].grid(result)[0] == ["a", "b", "c"]
    assert block_texts(result)[-1] == "Text below"


def test_empty_graph_paper_with_a_caption_is_no_table():
    xs, ys = [50.0 + 10 * n for n in range(30)], [100.0 + 10 * n for n in range(30)]
    result = page(line(52, 101, "A") + line(102, 191, "B"), grid(xs, ys))
    assert result.tables == ()


def test_a_dark_first_row_is_the_header():
    words = filled([["Time", "Temp", "Op"], ["x", "y", "z"], ["u", "v", "w"]])
    result = page(words, grid(XS, YS), shades=[(50, 100, 500, 120, 0.2), (50, 140, 500, 160, 0.97)])
    assert result.tables[0].header_row_count == 1
    assert [cell.header for cell in result.tables[0].cells] == [True] * 3 + [False] * 6


def test_striped_rows_are_no_header():
    words = filled([["x", "y", "z"], ["u", "v", "w"], ["r", "s", "t"]])
    stripes = [(50, 100, 500, 120, 0.9), (50, 140, 500, 160, 0.9)]
    assert page(words, grid(XS, YS), shades=stripes).tables[0].header_row_count == 0


def test_labels_over_numbers_are_the_header():
    result = page(filled([["Name", "Mass", "Note"], ["a", "12.5", "ok"], ["b", "13.0", "ok"]]), grid(XS, YS))
    assert result.tables[0].header_row_count == 1


def test_bold_first_row_is_the_header():
    words = filled([["Name", "Kind", "Note"], ["a", "b", "c"], ["d", "e", "f"]])
    assert page(words, grid(XS, YS), bold={0, 1, 2}).tables[0].header_row_count == 1
    assert page(words, grid(XS, YS)).tables[0].header_row_count == 0


def test_a_bold_title_of_a_section_below_the_header_is_no_header():
    rows = [["Step", "Text", "By"], ["Sieving", "", ""], ["a", "b", "c"], ["Mixing", "", ""], ["d", "e", "f"]]
    ys = [100.0 + 20 * n for n in range(6)]
    words = filled(rows, ys=ys)
    assert page(words, grid(XS, ys), bold={0, 1, 2, 3, 7}).tables[0].header_row_count == 1


def test_a_form_of_bold_labels_with_a_bold_first_value_has_no_header():
    xs, words = [50.0, 200.0, 500.0], filled([["Name", "Aa"], ["Kind", "b"], ["Note", "c"]])
    assert page(words, grid(xs, YS), bold={0, 1, 2, 4}).tables[0].header_row_count == 0


def test_figures_ruled_only_every_few_rows_are_told_apart():
    rows = [["Name", "Mass", "Count"], *[[f"state{n}", f"{n}.5", f"1{n}"] for n in range(5)]]
    words = filled(rows, ys=[100.0, *[120.0 + 14 * n for n in range(5)]])
    result = page(words, grid(XS, [100.0, 120.0, 195.0]))
    assert result.tables[0].grid(result) == rows


def test_wrapped_text_in_several_cells_stays_one_row():
    words = [
        word for x in XS[:3] for n in range(4) for word in line(x + 5, 124 + 12 * n, "some wrapped words")
    ]
    result = page(words + filled([["A", "B", "C"]]), grid(XS, [100.0, 120.0, 175.0]))
    assert result.tables[0].row_count == 2


def test_words_aligned_between_rules_are_a_table_without_column_lines():
    rows = [["Drug", "Dose"], ["Aspirin", "100 mg"], ["Ibuprofen", "400 mg"], ["Codeine", "30 mg"]]
    words = [
        w
        for n, row in enumerate(rows)
        for x, t in zip((50, 250), row, strict=True)
        for w in line(x, 104 + 14 * n, t)
    ]
    rulings = [level(100, 48, 300), level(117, 48, 300), level(160, 48, 300)]
    result = page(words, rulings)
    assert result.tables[0].grid(result) == rows
    assert page(words).tables == ()


def test_three_aligned_columns_need_no_rules_but_running_text_is_none():
    rows = [["Drug", "Dose", "Route"], ["Aspirin", "100 mg", "oral"], ["Heparin", "5000 IU", "s.c."]]
    words = [
        w
        for n, row in enumerate(rows)
        for x, t in zip((50, 200, 350), row, strict=True)
        for w in line(x, 104 + 14 * n, t)
    ]
    assert page(words).tables[0].grid(page(words)) == rows
    prose = [
        w
        for n in range(6)
        for w in line(50, 104 + 14 * n, "one two three four five six seven eight nine ten")
    ]
    assert page(prose).tables == ()
