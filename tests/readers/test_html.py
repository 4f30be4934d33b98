"""HTML is read as a browser shows it."""

import pytest

from extractor.errors import LimitError
from tests.readers.made import HTML, blocks_of, grids_of, page_of


def _page(body, head=""):
    return page_of(f"<html><head>{head}</head><body>{body}</body></html>".encode(), "text/html")


def test_a_page_becomes_blocks_in_order_without_what_is_hidden():
    assert blocks_of(page_of(HTML)) == [
        ("heading", "Batch Record"),
        ("paragraph", "Lot\u00a042 & co\nsecond line"),
        ("paragraph", "one two"),
        ("paragraph", "a"),
        ("paragraph", "b"),
        ("table", "Step\tRange\nMix\t1\t2\n3"),
        ("paragraph", "10⁹/L, H2O"),
    ]


def test_row_and_column_spans_keep_their_places():
    page = page_of(HTML)
    table = page.tables[0]

    assert grids_of(page) == [[["Step", "Range", ""], ["Mix", "1", "2"], ["", "3", ""]]]
    assert table.header_row_count == 1
    spans = {(cell.row_no, cell.column_no): (cell.row_span, cell.column_span) for cell in table.cells}
    assert spans[1, 2] == (1, 2)
    assert spans[2, 1] == (2, 1)


def test_a_layout_table_is_not_a_table():
    page = _page("<table><tr><td>left</td><td><table><tr><td>k</td><td>v</td></tr></table></td></tr></table>")

    assert grids_of(page) == [[["k", "v"]]]
    assert page.text == "left\n\nk\tv"


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>NO</script>",
        "<style>NO</style>",
        "<p hidden>NO</p>",
        "<p style='DISPLAY : none'>NO</p>",
        "<template>NO</template>",
        "<!-- NO -->",
        "<input type=hidden value=NO>",
    ],
)
def test_what_a_browser_does_not_show_is_left_out_and_what_follows_is_kept(hidden):
    assert _page(f"<p>a</p>{hidden}<p>b</p>").text == "a\n\nb"


def test_controls_show_their_state():
    page = _page(
        "<p><input type=checkbox checked> yes <input type=radio> no</p>"
        "<p>Lot <input value='42'></p><select><option>a<option selected>b</select>"
    )

    assert page.text == "[x] yes [ ] no\n\nLot 42\n\nb"


def test_preformatted_text_keeps_its_white_space():
    assert _page("<pre>a  b\n   c</pre>").text == "a  b\n   c"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"<html><head><meta charset=iso-8859-1></head><body>5 \xb5m \x96 x", "5 µm \u2013 x"),
        (b"<html><head><meta charset='shift_jis'></head><body>\x93\xfa", "日"),
        (b"<html><head><meta charset=nonsense></head><body>\xc2\xb5", "µ"),
        ("<html><body>µ</body></html>".encode("utf-16"), "µ"),
        (b"<html><head><meta charset=utf-8></head><body>\xb5g", "µg"),
    ],
)
def test_the_charset_is_declared_or_found(content, text):
    assert page_of(content, "text/html").text == text


def test_depth_is_bounded_and_never_cuts_the_text_short():
    deep = _page("<div>" * 1_500 + "inner" + "</div>" * 1_500 + "<p>after</p>")
    assert deep.text == "inner\n\nafter"

    with pytest.raises(LimitError) as caught:
        _page("<div>" * 50_000 + "inner")
    assert caught.value.code == "limit.depth"


def test_absurd_spans_are_bounded():
    page = _page(
        "<table><tr><td colspan=99999999 rowspan=99999999>a</td><td>b</td></tr><tr><td>c</td></tr></table>"
    )

    assert page.tables[0].column_count <= 1_001
    assert page.text == "a\tb\nc"


def test_a_table_with_too_many_columns_is_refused():
    with pytest.raises(LimitError) as caught:
        _page("<table><tr>" + "<td colspan=1000>x" * 20 + "</table>")
    assert caught.value.code == "limit.columns"
