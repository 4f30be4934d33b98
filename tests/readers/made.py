"""Small documents of each format, made in memory, and a way to read them."""

import io
import random
import zipfile

from extractor.document import Document, Page
from extractor.ports import ReadLimits
from extractor.readers.sniff import media_type_of
from extractor.registry import load


def read(content, media_type=None, **limits):
    """Every page of a document and the bytes of its attachments."""
    kind = media_type or media_type_of(content)
    with load("readers", kind)().open(content, media_type=kind, limits=ReadLimits(**limits)) as reading:
        pages = list(reading.pages())
        assert [page.page_no for page in pages] == list(range(1, reading.page_count + 1))
        return pages, [attachment.content for attachment in reading.attachments()]


def page_of(content, media_type=None, **limits):
    """The only page of a document."""
    (page,), _ = read(content, media_type, **limits)
    assert isinstance(page, Page)
    return page


def text_of(pages):
    return Document.assemble(doc_id="d" * 64, media_type="text/plain", pages=pages).text


def blocks_of(page):
    """(kind, text) of each block."""
    return [(block.kind, page.quote(block.first, block.last)) for block in page.blocks]


def grids_of(page):
    return [table.grid(page) for table in page.tables]


def docx_bytes(fill):
    """A DOCX that ``fill(document)`` writes with python-docx."""
    import docx

    document = docx.Document()
    fill(document)
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


def xlsx_bytes(fill):
    """An XLSX that ``fill(workbook)`` writes with openpyxl."""
    import openpyxl

    workbook = openpyxl.Workbook()
    fill(workbook)
    target = io.BytesIO()
    workbook.save(target)
    return target.getvalue()


def picture(form, *, size=(60, 40), mode="L", colour=255, **options):
    """A picture file with a black square in its upper left corner."""
    from PIL import Image

    image = Image.new(mode, size, colour)
    black = {"RGBA": (0, 0, 0, 255), "LA": (0, 255), "CMYK": (0, 0, 0, 255), "RGB": (0, 0, 0)}.get(mode, 0)
    image.paste(black, (0, 0, size[0] // 4, size[1] // 4))
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def zip_bytes(parts):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return target.getvalue()


def with_part(content, name, part):
    """A package with one part replaced or added."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {entry: archive.read(entry) for entry in archive.namelist()}
    return zip_bytes({**parts, name: part})


def mutated(content, seed):
    """``content`` with a few bytes changed, cut out, put in or doubled; the same for the same seed."""
    chance = random.Random(seed)
    data = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 5, 30])):
        if not data:
            break
        at = chance.randrange(len(data))
        action = chance.randrange(6)
        if action == 0:
            data[at] = chance.randrange(256)
        elif action == 1:
            del data[at : at + chance.randrange(1, 50)]
        elif action == 2:
            data[at:at] = chance.randbytes(chance.randrange(1, 9))
        elif action == 3:
            start = chance.randrange(len(data))
            data[at:at] = data[start : start + chance.randrange(60)]
        elif action == 4:
            data[at] ^= 1 << chance.randrange(8)
        elif chance.random() < 0.2:
            del data[at:]
    return bytes(data)


def with_mutated_part(content, seed):
    """A package with one part mutated inside a sound zip."""
    chance = random.Random(seed)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        name = chance.choice(archive.namelist())
        part = archive.read(name)
    return with_part(content, name, mutated(part, seed))


EMAIL = (
    b"MIME-Version: 1.0\r\nDate: Fri, 23 Dec 2022 12:08:48 -0600\r\nSubject: =?utf-8?q?Lot_42_=E2=80=93_results?=\r\n"
    b"From: Ann Lee <ann@example.com>\r\nTo: bob@example.com\r\n"
    b'Content-Type: multipart/mixed; boundary="B"\r\n\r\n--B\r\n'
    b'Content-Type: multipart/alternative; boundary="A"\r\n\r\n--A\r\n'
    b'Content-Type: text/plain; charset="utf-8"\r\n\r\nHello,\r\n\r\nthe lot passed.\r\n--A\r\n'
    b'Content-Type: text/html; charset="utf-8"\r\n\r\n<p>Hello,</p><p>the lot passed.</p>\r\n--A--\r\n--B\r\n'
    b'Content-Type: text/plain; name="a.txt"\r\nContent-Disposition: attachment; filename="a.txt"\r\n'
    b"Content-Transfer-Encoding: base64\r\n\r\nQXR0YWNoZWQ=\r\n--B--\r\n"
)

CDA_TEXT = """<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3"><typeId root="2.16" extension="POCD_HD000040"/>
<title>Discharge Summary</title><effectiveTime value="20250915"/>
<recordTarget><patientRole><id extension="998991" root="1.2"/><patient>
<name><given>Isabella</given><family>Jones</family></name>
<administrativeGenderCode code="F" displayName="Female"/><birthTime value="19750501"/></patient></patientRole></recordTarget>
<author><time value="20250914"/><assignedAuthor><assignedPerson><name>Henry Seven</name></assignedPerson>
</assignedAuthor></author>
<component><structuredBody><component><section><code code="48765-2" displayName="Allergies list"/><title>Allergies</title>
<text><table><thead><tr><th>Substance</th><th>Reaction</th></tr></thead>
<tbody><tr><td>Penicillin <content>G</content></td><td>Hives</td></tr></tbody></table></text>
<entry><act><code displayName="Coded twin"/></act></entry></section></component>
<component><section><title>Plan</title><text>Take 5 mg.<list><item>First</item><item>Second</item></list></text>
</section></component></structuredBody></component></ClinicalDocument>"""

SPL_TEXT = """<?xml version="1.0" encoding="UTF-8"?><document xmlns="urn:hl7-org:v3"><title>Drug Facts</title>
<component><structuredBody><component><section><code displayName="SPL listing"/><subject><manufacturedProduct>
<manufacturedProduct><code code="0067-6344" codeSystem="2.16.840.1.113883.6.69"/><name>COUGHEX<suffix>Night</suffix></name>
<formCode displayName="SYRUP"/><ingredient><quantity><numerator value="6.25" unit="mg"/><denominator value="5" unit="mL"/>
</quantity><ingredientSubstance><name>DIPHENHYDRAMINE</name></ingredientSubstance></ingredient></manufacturedProduct>
</manufacturedProduct></subject></section></component>
<component><section><code code="34067-9" displayName="INDICATIONS SECTION"/><title>Uses</title>
<text><paragraph>relieves cough<footnote>at night</footnote> and itching</paragraph><paragraph>10<sup>9</sup>/L</paragraph></text>
<component><section><title>Warnings</title><text><list><item>Stop</item><item>Ask</item></list></text></section></component>
</section></component></structuredBody></component></document>"""

HTML = (
    b"<!DOCTYPE html><html><head><title>T</title><style>p{}</style></head><body><script>var x</script>"
    b"<h1>Batch <em>Record</em></h1><p>Lot&nbsp;42 &amp; co<br>second   line</p>"
    b"<div>one <span style='display:none'>NO</span>two</div><ul><li>a</li><li>b</li></ul>"
    b"<table><thead><tr><th>Step</th><th colspan=2>Range</th></tr></thead>"
    b"<tr><td rowspan=2>Mix</td><td>1</td><td>2</td></tr><tr><td>3</td><td></td></tr></table>"
    b"<p>10<sup>9</sup>/L, H<sub>2</sub>O</p></body></html>"
)
