from __future__ import annotations

from extractor.layout.continuation import link_tables
from tests.layout.placing import grid, line, page

XS = [50.0, 200.0, 350.0]
HEADER = (50, 600, 350, 620, 0.2)


def table_page(page_no, rows, top, *, xs=XS, shaded=False, extra=()):
    ys = [top + 20 * n for n in range(len(rows) + 1)]
    words = [
        w
        for y, row in zip(ys, rows, strict=False)
        for x, t in zip(xs, row, strict=False)
        for w in line(x + 5, y + 4, t)
    ]
    shades = [(xs[0], top, xs[-1], top + 20, 0.2)] if shaded else []
    return page(words + list(extra), grid(list(xs), ys), page_no=page_no, shades=shades)


ROWS = [["Time", "Temp"], ["08:00", "warm"], ["09:00", "hot"], ["10:00", "hot"]]


def test_a_table_goes_on_with_its_header_printed_again():
    first = table_page(1, ROWS, 660, shaded=True)
    second = table_page(2, [ROWS[0], ["11:00", "cold"]], 50)
    linked = link_tables([first, second])
    assert [p.tables[0].continues for p in linked] == [False, True]
    assert linked[1].tables[0].header_row_count == 1
    assert [cell.header for cell in linked[1].tables[0].cells] == [True, True, False, False]


def test_a_table_goes_on_without_a_header_over_three_pages():
    pages = [
        table_page(1, ROWS, 660, shaded=True),
        table_page(2, [["a", "b"]] * 36, 40),
        table_page(3, [["c", "d"]] * 2, 40),
    ]
    linked = link_tables(pages)
    assert [p.tables[0].continues for p in linked] == [False, True, True]
    assert [p.tables[0].header_row_count for p in linked] == [1, 0, 0]


def test_other_columns_other_header_or_text_between_start_a_new_table():
    first = table_page(1, ROWS, 660, shaded=True)
    other_columns = table_page(2, [["a", "b"]] * 3, 50, xs=[50.0, 150.0, 350.0])
    other_header = table_page(2, [["Step", "Sign"], ["a", "b"], ["c", "d"]], 50, shaded=True)
    text_between = table_page(2, [["a", "b"]] * 3, 80, extra=line(50, 40, "4. Results of the next step"))
    for second in (other_columns, other_header, text_between):
        assert not link_tables([first, second])[1].tables[0].continues


def test_a_table_that_ends_high_on_its_page_does_not_go_on():
    assert (
        not link_tables([table_page(1, ROWS, 100), table_page(2, [["a", "b"]] * 3, 50)])[1]
        .tables[0]
        .continues
    )


def with_furniture(page_no, body):
    words = line(50, 20, f"Record 17 page {page_no} of 4") + line(50, 770, "CONFIDENTIAL")
    return page(words + line(50, 32, body), page_no=page_no)


def test_running_headers_and_footers_become_margins_and_words_stay():
    pages = [
        with_furniture(n, f"{name} text of the page")
        for n, name in enumerate(("First", "Second", "Third", "Fourth"), 1)
    ]
    linked = link_tables(pages)
    for before, after in zip(pages, linked, strict=True):
        margins = [after.quote(b.first, b.last) for b in after.blocks if b.kind == "margin"]
        assert margins == [f"Record 17 page {after.page_no} of 4", "CONFIDENTIAL"]
        assert [w.text for w in before.words] == [w.text for w in after.words]
        assert "\n\n" in after.text


def test_a_table_goes_on_between_running_headers_and_footers():
    rows = [["a", "b"]] * 3
    pages = [
        table_page(
            n,
            rows,
            690 if n == 1 else 60,
            extra=line(50, 20, f"Record page {n}") + line(50, 775, "CONFIDENTIAL"),
        )
        for n in (1, 2, 3)
    ]
    assert link_tables(pages)[1].tables[0].continues
    assert not link_tables(pages)[2].tables[0].continues


def test_a_boxed_header_on_every_page_is_not_the_table_that_goes_on():
    def boxed(n):
        head = [w for x, t in ((55, "SOP 12"), (205, f"Page {n}")) for w in line(x, 24, t)]
        ys = [100.0 + 20 * k for k in range(32)] if n > 1 else [640.0 + 20 * k for k in range(7)]
        body = [w for y in ys[:-1] for x, t in ((55, f"row{n}"), (205, "x")) for w in line(x, y + 4, t)]
        return page(head + body, grid(XS, [20.0, 40.0]) + grid(XS, ys), page_no=n)

    linked = link_tables([boxed(n) for n in (1, 2, 3)])
    assert [[table.continues for table in p.tables] for p in linked] == [
        [False, False],
        [False, True],
        [False, True],
    ]
