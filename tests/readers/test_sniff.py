"""Types are told by content, and what is not read is named."""

import io
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given, settings, strategies as st

from extractor.errors import CorruptError, EmptyInputError, EncryptedError, InputError, UnsupportedError
from extractor.readers.sniff import media_type_of
from extractor.registry import CDA, DOCX, PDF, SPL, XLSX
from tests.readers.made import (
    CDA_TEXT,
    EMAIL,
    HTML,
    SPL_TEXT,
    docx_bytes,
    mutated,
    picture,
    xlsx_bytes,
    zip_bytes,
)

PDF_BYTES = b"%PDF-1.4\n1 0 obj\n<</Type/Catalog>>\nendobj\ntrailer<</Root 1 0 R>>\n%%EOF"
CSV = b"sample,value,unit\nA1,7.2,pH\nA2,7.4,pH\n"


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PDF_BYTES, PDF),
        (b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n" + PDF_BYTES, PDF),
        (bytes(range(128, 256)) * 7 + b"\n" + PDF_BYTES, PDF),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"II*\0rest", "image/tiff"),
        (b"MM\0*rest", "image/tiff"),
        (HTML, "text/html"),
        (b"<html><body><h1>Batch record</h1></body></html>", "text/html"),
        (b"<!-- saved --><!DOCTYPE HTML>\n<p>x", "text/html"),
        (b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body/></html>', "text/html"),
        (EMAIL, "message/rfc822"),
        (b"From: a@b.c\nTo: d@e.f\nSubject: x\nDate: Fri, 23 Dec 2022 12:08:48 -0600\n\nbody", "message/rfc822"),
        (SPL_TEXT.encode(), SPL),
        (SPL_TEXT.encode("utf-16").replace("UTF-8".encode("utf-16-le"), "UTF-16".encode("utf-16-le")), SPL),
        (CDA_TEXT.encode(), CDA),
        (CDA_TEXT.partition("?>")[2].encode(), CDA),
        (b"<?xml version='1.0'?><Patient xmlns='http://hl7.org/fhir'/>", "application/xml"),
        (b"<note><to>Ann</to></note>", "application/xml"),
        (CSV, "text/csv"),
        (CSV.replace(b",", b"\t"), "text/csv"),
        (CSV.replace(b",", b";").decode().encode("utf-16"), "text/csv"),
        (b'code,"long name"\n1,"x, y"\n2,"z, w"\n3,"v, u"\n', "text/csv"),
        (b"# Discharge\n\n- **Lot** 42\n", "text/markdown"),
        (b"Patient Name: Jane Doe\nMRN: 12\n", "text/plain"),
        ("Größe 5 µm\n".encode("latin-1"), "text/plain"),
        ("plain text".encode("utf-16-le"), "text/plain"),
        ("plain text".encode("utf-16-be"), "text/plain"),
        ("plain text".encode("utf-32"), "text/plain"),
        (b"fixed width" + b"\0" * 500, "text/plain"),
    ],
)  # fmt: skip
def test_a_readable_type_is_told_by_its_content(content, media_type):
    assert media_type_of(content) == media_type


@pytest.mark.parametrize(
    "prose",
    [
        b"Dear Ann,\nthank you, as ever, for the samples.\nWe have, alas, lost two.\n",
        b"Dear Ann,\nyes,\nno,\nregards,\nBob\n",
        b"He came, he saw, he left.\nShe stayed, as always, at home.\n",
        b"From: Ann\nTo: Bob\nDate: Monday\nSubject: lot 42\n\nA memo, typed as text.\n",
        b"<5 mg was given\nand > 3 mg later\n",
        b"BM was regular. ID3 was positive.\n",
        b'{"a": 1, "b": 2}\n{"a": 3, "b": 4}\n{"a": 5, "b": 6}\n',
    ],
)
def test_prose_stays_text(prose):
    assert media_type_of(prose) == "text/plain"


def test_office_documents_are_told_from_other_zips():
    assert media_type_of(docx_bytes(lambda document: document.add_paragraph("x"))) == DOCX
    assert media_type_of(xlsx_bytes(lambda book: book.active.append(["x"]))) == XLSX


def test_the_pictures_that_pillow_writes_are_known():
    assert media_type_of(picture("PNG")) == "image/png"
    assert media_type_of(picture("JPEG")) == "image/jpeg"
    assert media_type_of(picture("TIFF", mode="1", colour=1, compression="group4")) == "image/tiff"


def _ole(stream):
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500) + f"{stream}\0".encode("utf-16-le") + bytes(50)


def _types(kind):
    return zip_bytes(
        {"[Content_Types].xml": f'<Types><Override ContentType="application/vnd.{kind}"/></Types>'}
    )


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (
            _types("openxmlformats-officedocument.presentationml.presentation.main+xml"),
            "PowerPoint presentation",
        ),
        (_types("ms-excel.sheet.binary.macroEnabled.main"), "binary Excel workbook (.xlsb)"),
        (_ole("WordDocument"), "legacy Word (.doc)"),
        (_ole("Workbook"), "legacy Excel (.xls)"),
        (_ole("__nameid_version1.0"), "Outlook message (.msg)"),
        (zip_bytes({"a.txt": "x"}), "zip archive"),
        (zip_bytes({"mimetype": "application/vnd.oasis.opendocument.text"}), "OpenDocument file"),
        (bytes(128) + b"DICM" + bytes(60), "DICOM image"),
        (b"{\\rtf1 x}", "RTF document"),
        (b"GIF89a\x01\0", "GIF image"),
        (b"\x1f\x8b\x08\0", "gzip archive"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "WebP image"),
        (b"MSH|^~\\&|LAB|X\rPID|1\r", "HL7 version 2 message"),
        (b"\x0bMSH|^~\\&|LAB|X\rPID|1\r", "HL7 version 2 message"),
        (bytes(range(256)) * 4, "binary data"),
    ],
)
def test_a_type_without_a_reader_is_named(content, name):
    with pytest.raises(UnsupportedError) as caught:
        media_type_of(content)

    assert (caught.value.code, caught.value.detail) == ("input.unsupported", name)


@pytest.mark.parametrize("content", [b"", b" \r\n\t", bytes(64), b"\xff\xfe \0\n\0", b"\xef\xbb\xbf \n"])
def test_nothing_but_white_space_is_an_empty_document(content):
    with pytest.raises(EmptyInputError):
        media_type_of(content)


def test_an_office_document_under_a_password_is_encrypted():
    with pytest.raises(EncryptedError):
        media_type_of(_ole("EncryptedPackage"))


def test_broken_containers_are_corrupt():
    whole = docx_bytes(lambda document: document.add_paragraph("x"))

    for content in (whole[: len(whole) // 2], b"<?xml version='1.0'?>", b"<?xml version='1.0'?>not xml"):
        with pytest.raises(CorruptError):
            media_type_of(content)


def test_a_zip_bomb_is_named_without_being_inflated(monkeypatch):
    content = zip_bytes({"[Content_Types].xml": b" " * 20_000_000, "x": b""})
    taken = []
    real = zipfile.ZipExtFile.read

    def counting(self, n=-1):
        data = real(self, n)
        taken.append(len(data))
        return data

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counting)
    with pytest.raises(UnsupportedError):
        media_type_of(content)

    assert sum(taken) <= 1 << 20


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes_raise_nothing_but_input_errors(content):
    with suppress(InputError):
        assert "/" in media_type_of(content)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from([PDF_BYTES, EMAIL, HTML, CSV, CDA_TEXT.encode(), _ole("Book")]))
def test_damaged_documents_raise_nothing_but_input_errors(seed, content):
    with suppress(InputError):
        assert "/" in media_type_of(mutated(content, seed))


def test_a_zip_with_a_password_is_encrypted():
    data = bytearray(zip_bytes({"[Content_Types].xml": "x"}))
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        start = archive.start_dir
    data[start + 8] |= 1  # general purpose flag, bit 0

    with pytest.raises(EncryptedError):
        media_type_of(bytes(data))
