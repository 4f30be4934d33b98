"""The preview shows what was found where it stands, and nothing in a document can steer it."""

import base64
import hashlib
import io
import re
from decimal import Decimal
from html.parser import HTMLParser
from types import SimpleNamespace

import pymupdf
import pytest
from PIL import Image
from rich.console import Console

from extractor.config import load_config
from extractor.document import Block, Cell, Document, Page, PageFailure, Table, Word, empty_page
from extractor.errors import ConfigError, InputError
from extractor.preview import preview, render_terminal
from extractor.preview_html import render_html
from extractor.preview_marks import PALETTE, Marks, iter_pieces, line_boxes, printable, type_marks
from extractor.records import Code, Entity, Maker, Quantity
from extractor.registry import PDF
from extractor.spans import BBox, Span

MAKER = Maker(extractor="dictionary", version="1.0")
HOSTILE = '</script><script>alert(1)</script><img src=x onerror="alert(2)">'


def words_of(text):
    return tuple(
        Word(text=word, before="" if number == 0 else " ") for number, word in enumerate(text.split(" "))
    )


def note(*texts, failures=()):
    pages = [
        Page(page_no=number, words=words_of(text)) if text else empty_page(number)
        for number, text in enumerate(texts, start=1)
    ]
    return Document.assemble(doc_id="ab" * 32, media_type="text/plain", pages=pages, failures=failures)


def mention(document, quote, label="drug", *, nth=0, **more):
    start = -1
    for _ in range(nth + 1):
        start = document.text.index(quote, start + 1)
    span = Span(start, start + len(quote))
    return Entity(doc_id=document.doc_id, span=span, label=label, maker=MAKER, **more)


def table_page():
    words = words_of("Lot A1 Yield")
    cells = (
        Cell(row_no=1, column_no=1, first=0, last=1),
        Cell(row_no=1, column_no=2, first=1, last=2),
        Cell(row_no=2, column_no=1, first=2, last=3),
        Cell(row_no=2, column_no=2, first=3, last=3),
    )
    return Page(
        page_no=1,
        words=words,
        blocks=(Block(kind="table", first=0, last=3, table_no=1),),
        tables=(Table(table_no=1, row_count=2, column_count=2, cells=cells, header_row_count=1),),
    )


def printed(document, entities, *, colour=False, **options):
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=100,
        force_terminal=colour,
        color_system="truecolor" if colour else None,
        no_color=None if colour else True,
    )
    render_terminal(document, entities, console, **options)
    return stream.getvalue()


def test_without_colours_a_mention_stands_in_brackets_with_its_type():
    document = note("took aspirin and ibuprofen today")
    entities = [mention(document, "aspirin"), mention(document, "ibuprofen")]

    shown = printed(document, entities)

    assert "took [aspirin|drug] and [ibuprofen|drug] today" in shown
    assert "drug 2" in shown
    assert "\x1b" not in shown


def test_nested_mentions_show_both_types():
    document = note("pain of the left knee")
    entities = [mention(document, "left knee", "site"), mention(document, "left", "side")]

    assert "[[left|side] knee|site]" in printed(document, entities)


def test_on_a_terminal_a_mention_is_printed_on_the_colour_of_its_type():
    document = note("took aspirin today")
    entities = [mention(document, "aspirin")]
    red, green, blue = bytes.fromhex(type_marks(entities)[0].colour.removeprefix("#"))

    shown = printed(document, entities, colour=True)

    assert f"48;2;{red};{green};{blue}maspirin" in shown
    assert "[aspirin|" not in shown


def test_no_color_is_respected_on_a_terminal(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    document = note("took aspirin today")
    stream = io.StringIO()

    render_terminal(
        document, [mention(document, "aspirin")], Console(file=stream, force_terminal=True, width=90)
    )

    assert "[aspirin|drug]" in stream.getvalue()
    assert "48;2" not in stream.getvalue()


def test_a_document_cannot_steer_the_terminal():
    document = note("safe \x1b[2J\x1b]0;title\x07 [bold]words[/bold] \u202eturned\x9b")

    shown = printed(document, [], colour=True)

    assert "\x1b[2J" not in shown
    assert "\x1b]0" not in shown
    assert not {"\x07", "\u202e", "\x9b"} & set(shown)
    assert "[bold]words[/bold]" in shown


def test_making_controls_visible_keeps_every_offset():
    text = "".join(map(chr, range(0x300))) + "\u2066\ud800"

    assert len(printable(text)) == len(text)


def test_pages_have_headings_and_a_bound():
    document = note("one aspirin", "two aspirin", "three")
    entities = [mention(document, "aspirin"), mention(document, "aspirin", nth=1)]

    shown = printed(document, entities, pages=1)

    assert "page 1, flow" in shown
    assert "page 2" not in shown
    assert "3 pages (the first 1 shown), 1 entities" in shown


def test_a_page_that_must_not_be_trusted_is_said():
    poor = Page(page_no=1, words=words_of("smudge"), source="tesserocr", confidence=0.41, quality="poor")
    failed = PageFailure(page_no=2, code="input.corrupt")
    document = Document.assemble(
        doc_id="ab" * 32, media_type="image/png", pages=[poor, empty_page(2)], failures=[failed]
    )

    shown = printed(document, [])

    assert "! poor, OCR confidence 0.41: do not trust" in shown
    assert "! page 2 could not be read: input.corrupt" in shown


def test_a_table_is_drawn_with_its_cells_marked():
    document = Document.assemble(doc_id="ab" * 32, media_type="text/csv", pages=[table_page()])

    shown = printed(document, [mention(document, "A1", "lot_no")])

    assert "table 1: 2 rows, 2 columns" in shown
    assert re.search(r"│ Lot\s+│ \[A1\|lot_no\] │", shown)
    assert "└" in shown


def test_the_list_holds_meaning_once_for_equal_findings_with_their_pages():
    document = note("aspirin 7.20 mg", "aspirin")
    code = Code(system="DRUGBANK", code="DB00945", display="Acetylsalicylic acid", vocabulary_version="5")
    amount = Quantity(value_text="7.20", value=Decimal("7.20"), unit_ucum="mg", parse_status="ok")
    entities = [
        mention(document, "aspirin", code=code),
        mention(document, "7.20 mg", "dose", quantity=amount),
        mention(document, "aspirin", nth=1, code=code),
    ]

    shown = " ".join(printed(document, entities).split())

    assert shown.count("DRUGBANK DB00945") == 1
    assert "1, 2 dictionary@1.0" in shown
    assert "7.20 mg 1 dictionary@1.0" in shown


def test_every_word_of_a_page_is_in_exactly_one_piece():
    page = Page(
        page_no=2,
        words=words_of("a b c d e"),
        blocks=(Block(kind="heading", first=1, last=2), Block(kind="paragraph", first=3, last=4)),
    )
    document = Document.assemble(
        doc_id="ab" * 32, media_type="text/plain", pages=[Page(page_no=1, words=words_of("x y")), page]
    )

    pieces = list(iter_pieces(document, page))

    assert [piece.span.of(document.text) for piece in pieces] == ["a", "b", "c", "d", "e"]
    assert [piece.kind for piece in pieces] == ["paragraph", "heading", "paragraph", "paragraph", "paragraph"]


def test_runs_cover_a_span_without_gap_or_overlap():
    document = note("abcdefghij")
    marks = Marks([mention(document, quote, quote) for quote in ("bcdef", "cd", "efgh")])

    runs = list(marks.runs(Span(1, 10)))

    assert [(start, end) for start, end, _ in runs] == [(1, 2), (2, 4), (4, 6), (6, 8), (8, 10)]
    assert [covering for _, _, covering in runs] == [(0,), (1, 0), (2, 0), (2,), ()]


def test_types_have_different_colours_while_there_are_enough():
    document = note("x" * 20)
    entities = [mention(document, "x", f"type {number}") for number in range(len(PALETTE))]

    assert len({mark.colour for mark in type_marks(entities)}) == len(PALETTE)


def test_neighbouring_words_on_a_line_share_a_box():
    boxes = [BBox(10, 10, 30, 20), BBox(33, 10, 50, 20), BBox(10, 22, 30, 32), BBox(200, 22, 230, 32)]

    (page_no, lines), *_ = line_boxes((1, box) for box in boxes)

    assert page_no == 1
    assert lines == [BBox(10, 10, 50, 20), BBox(10, 22, 30, 32), BBox(200, 22, 230, 32)]


# -- the page of HTML ---------------------------------------------------------


class _Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def config():
    return load_config()


def pdf_document(*lines, rotation=0):
    """A PDF with one line a page, and its document as the text layer has it."""
    with pymupdf.open() as made:
        for line in lines:
            page = made.new_page(width=300, height=200)
            page.insert_text((40, 60), line, fontsize=12)
            page.set_rotation(rotation)
        content = made.tobytes()
    pages = []
    with pymupdf.open(stream=content, filetype="pdf") as made:
        for number, page in enumerate(made, start=1):
            matrix = page.rotation_matrix
            words = [(pymupdf.Rect(found[:4]) * matrix, found[4]) for found in page.get_text("words")]
            pages.append(
                Page(
                    page_no=number,
                    width_pt=page.rect.width,
                    height_pt=page.rect.height,
                    words=tuple(
                        Word(text=text, before=" " if index else "", box=BBox(*rect))
                        for index, (rect, text) in enumerate(words)
                    ),
                    source="text-layer",
                    rotation_deg=rotation,
                )
            )
    doc_id = hashlib.sha256(content).hexdigest()
    return content, Document.assemble(doc_id=doc_id, media_type=PDF, pages=pages)


def written(document, entities, config, content=b"", **options):
    return render_html(document, entities, content=content, config=config, **options)


def picture_of(image):
    assert image["src"].startswith("data:image/webp;base64,")
    return Image.open(io.BytesIO(base64.b64decode(image["src"].partition(",")[2])))


@pytest.mark.parametrize("rotation", [0, 90])
def test_boxes_lie_over_the_words_in_the_page_picture(config, rotation):
    content, document = pdf_document("give aspirin now", rotation=rotation)

    page = _Elements(written(document, [mention(document, "aspirin")], config, content))

    (image,), (drawing,) = page.all("img"), page.all("svg")
    picture = picture_of(image).convert("L")
    assert picture.size == (int(image["width"]), int(image["height"]))
    _, _, width_pt, height_pt = map(float, drawing["viewbox"].split())
    (box,) = [one for one in page.all("rect") if "class" not in one]
    scale = picture.width / width_pt
    assert scale == pytest.approx(picture.height / height_pt, rel=0.01)
    x, y, width, height = (float(box[name]) * scale for name in ("x", "y", "width", "height"))
    inside = picture.crop((int(x), int(y), int(x + width), int(y + height)))
    assert inside.getextrema()[0] < 100
    document_without_the_word = picture.copy()
    document_without_the_word.paste(255, (int(x), int(y), int(x + width), int(y + height)))
    black_left = sum(document_without_the_word.histogram()[:100])
    assert sum(picture.histogram()[:100]) > black_left > 0


def test_every_box_and_row_is_linked_and_can_be_reached_by_keyboard(config):
    content, document = pdf_document("aspirin aspirin", "aspirin")
    entities = [mention(document, "aspirin", nth=number) for number in range(3)]

    page = _Elements(written(document, entities, config, content))

    groups, rows = page.all("g"), [row for row in page.all("tr") if "data-e" in row]
    assert [group["data-e"] for group in groups] == [row["data-e"] for row in rows] == ["0", "1", "2"]
    assert all(one["tabindex"] == "0" for one in groups + rows)
    assert [group["aria-label"] for group in groups] == ["drug: aspirin"] * 3


def test_flowing_text_is_laid_out_with_marks_in_place_of_a_picture(config):
    page = _Elements(written(document := note("took aspirin"), [mention(document, "aspirin")], config))

    (mark,) = page.all("mark")
    assert mark["data-e"] == "0"
    assert page.all("img") == []


def test_document_text_never_becomes_markup(config):
    document = note(f"{HOSTILE} {{{{script}}}} tail", "more")
    entities = [
        mention(document, HOSTILE.partition(" ")[0], HOSTILE, normalised=HOSTILE),
        mention(document, "tail", normalised="]]><!--"),
    ]
    text = written(document, entities, config)
    page = _Elements(text)

    assert len(page.all("script")) == 1
    assert page.all("img") == []
    assert "onerror" not in {name for _, attributes in page.found for name in attributes}
    assert "{{script}}" in text


def test_the_page_allows_its_own_script_and_style_only(config):
    text = written(document := note("took aspirin"), [mention(document, "aspirin")], config)
    (policy,) = [one["content"] for one in _Elements(text).all("meta") if one.get("http-equiv")]

    for tag in ("script", "style"):
        inner = text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_the_page_names_no_address_and_no_inline_code(config):
    content, document = pdf_document("give aspirin now")
    text = written(document, [mention(document, "aspirin")], config, content)
    outside_pictures = re.sub(r"data:image/webp;base64,[^\"]*", "", text)

    assert "http:" not in outside_pictures
    assert "https:" not in outside_pictures
    attributes = {name for _, attributes in _Elements(text).found for name in attributes}
    assert not {name for name in attributes if name.startswith("on") or name == "style"}


def test_every_element_that_the_script_asks_for_exists(config):
    text = written(note("nothing here"), [], config)
    asked = set(re.findall(r'byId\("(\w+)"\)', text))

    assert asked
    assert asked <= {attributes.get("id") for _, attributes in _Elements(text).found}


def test_the_number_of_pages_is_bounded(config):
    content, document = pdf_document("one", "two", "three")

    text = written(document, [], config, content, pages=2)

    assert len(_Elements(text).all("img")) == 2
    assert "3 (the first 2 shown)" in text


def test_a_page_that_cannot_be_drawn_is_shown_as_text(config):
    _, document = pdf_document("give aspirin now")

    page = _Elements(written(document, [mention(document, "aspirin")], config, b"not a PDF at all"))

    assert page.all("img") == []
    assert len(page.all("mark")) == 1


def test_the_head_says_what_the_document_is_and_what_the_page_holds(config):
    failed = PageFailure(page_no=2, code="ocr.timeout")
    text = written(note("one", "", failures=[failed]), [], config)

    assert "ab" * 6 in text
    assert "text/plain" in text
    assert "2 (ocr.timeout)" in text
    assert "holds document content" in text


def test_merged_cells_of_a_flowing_table_keep_their_place(config):
    words = words_of("Head a b")
    cells = (
        Cell(row_no=1, column_no=1, column_span=2, first=0, last=1, header=True),
        Cell(row_no=2, column_no=1, first=1, last=2),
        Cell(row_no=2, column_no=2, first=2, last=3),
    )
    table = Table(table_no=1, row_count=2, column_count=2, cells=cells)
    block = Block(kind="table", first=0, last=3, table_no=1)
    page = Page(page_no=1, words=words, blocks=(block,), tables=(table,))
    document = Document.assemble(doc_id="ab" * 32, media_type="text/html", pages=[page])

    text = written(document, [], config)

    assert '<tr><th colspan="2">Head</th></tr><tr><td>a</td><td>b</td></tr>' in text


# -- the command --------------------------------------------------------------


def test_the_command_writes_a_page_for_the_inspected_bytes_only(config, tmp_path, capsys):
    content, document = pdf_document("give aspirin now")
    inspection = SimpleNamespace(document=document, entities=(mention(document, "aspirin"),))
    file = tmp_path / "name of a person.pdf"
    file.write_bytes(content)

    preview(inspection, file, config=config, html=tmp_path / "out.html")

    assert "give" not in capsys.readouterr().err
    assert (tmp_path / "out.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    file.write_bytes(content + b"\n")
    with pytest.raises(InputError) as changed:
        preview(inspection, file, config=config, html=tmp_path / "out.html")
    assert changed.value.code == "input.changed"
    file.unlink()
    with pytest.raises(InputError) as gone:
        preview(inspection, file, config=config, html=tmp_path / "out.html")
    assert gone.value.code == "input.unreadable"
    assert "person" not in str(gone.value)


def test_a_page_that_cannot_be_written_is_the_callers_mistake(config, tmp_path):
    document = note("words")
    file = tmp_path / "note.txt"
    file.write_bytes(b"words")
    document = Document.assemble(
        doc_id=hashlib.sha256(b"words").hexdigest(), media_type="text/plain", pages=document.pages
    )

    with pytest.raises(ConfigError):
        preview(
            SimpleNamespace(document=document, entities=()),
            file,
            config=config,
            html=tmp_path / "nowhere" / "out.html",
        )
