"""The media type of a document, by its content and never by its name."""

from __future__ import annotations

import re

from lxml import etree

from extractor.errors import CorruptError, EmptyInputError, EncryptedError, UnsupportedError
from extractor.ports import ReadLimits
from extractor.readers.container import Package
from extractor.readers.decoding import BLANK_BYTES, encoding_of
from extractor.readers.dialect import find_delimiter
from extractor.registry import CDA, DOCX, PDF, SPL, XLSX

_SAMPLE_BYTES = 65_536
_PDF_WINDOW = 4_096
_HL7 = "{urn:hl7-org:v3}"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ANY_SIZE = ReadLimits(max_expanded_bytes=1 << 62)

_READABLE = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"II+\0", "image/tiff"),
    (b"MM\0+", "image/tiff"),
)
_KNOWN = (  # (offset, bytes, what it is); formats that are told apart and not read
    (0, b"GIF8", "GIF image"),
    (0, b"BM", "bitmap image"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000 image"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000 image"),
    (4, b"ftyp", "HEIF image or MP4 video"),
    (128, b"DICM", "DICOM image"),
    (0, b"AT&TFORM", "DjVu document"),
    (0, b"{\\rtf", "RTF document"),
    (0, b"%!PS", "PostScript document"),
    (0, b"\xc5\xd0\xd3\xc6", "PostScript document"),
    (0, b"\x1f\x8b", "gzip archive"),
    (0, b"BZh", "bzip2 archive"),
    (0, b"\xfd7zXZ\0", "xz archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "7-Zip archive"),
    (0, b"Rar!\x1a\x07", "RAR archive"),
    (0, b"\x28\xb5\x2f\xfd", "Zstandard archive"),
    (257, b"ustar", "tar archive"),
    (0, b"\x78\x9f\x3e\x22", "Outlook attachment container (winmail.dat)"),
    (0, b"\x7fELF", "program"),
    (0, b"MZ\x90", "program"),
    (0, b"SQLite format 3\0", "SQLite database"),
    (0, b"PAR1", "Parquet file"),
    (0, b"ARROW1", "Arrow file"),
    (0, b"\x89HDF\r\n\x1a\n", "HDF5 file"),
    (0, b"HEADER RECORD*******LIBRARY HEADER", "SAS transport file"),
    (0, b"$FL2", "SPSS data file"),
    (0, b"!BDN", "Outlook mailbox (.pst)"),
    (0, b"ID3", "audio"),
    (0, b"OggS", "audio"),
    (0, b"fLaC", "audio"),
    (0, b"\x1aE\xdf\xa3", "video"),
)
_RIFF = {b"WEBP": "WebP image", b"WAVE": "audio", b"AVI ": "video"}
_OLE_STREAMS = (  # directory entries of OLE files, in the order of what they prove
    ("__nameid_version1.0", "Outlook message (.msg)"),
    ("WordDocument", "legacy Word (.doc)"),
    ("PowerPoint Document", "legacy PowerPoint (.ppt)"),
    ("Workbook", "legacy Excel (.xls)"),
    ("Book", "legacy Excel (.xls)"),
    ("VisioDocument", "legacy Visio (.vsd)"),
)
_HEADER_LINE = re.compile(r"([!-9;-~]{1,76}):(?: |\t|$|(?=\S))")
_TRANSPORT = {
    "message-id", "received", "mime-version", "return-path", "content-type", "dkim-signature", "x-mailer",
    "delivered-to", "content-transfer-encoding",
}  # fmt: skip
_PEOPLE = {"from", "to", "subject", "date", "cc", "sender"}
_HTML_START = re.compile(
    r"(?:<\?xml[^>]*\?>|<!--.*?-->|\s)*<(?:!doctype\s+html|(?:html|head|body|title|meta|table|div|p|h[1-6]|ul|ol|pre"
    r"|center|font|span|form|section|article|main|style|script)(?=[\s>/]))",
    re.IGNORECASE | re.DOTALL,
)
_CONTROL = bytes(sorted((set(range(32)) | {127}) - set(b"\t\n\v\f\r\x1b")))


def media_type_of(content: bytes) -> str:
    """The media type under which the registry has a reader for ``content``.

    Only the start is decoded, and of a zip only its directory and one small part.

    Raises:
        EmptyInputError: no bytes, or white space and NUL only.
        EncryptedError: an office document under a password.
        CorruptError: a container or XML file that is broken.
        UnsupportedError: a type without a reader; ``detail`` names it.
    """
    if not content or not content.strip(BLANK_BYTES):
        raise EmptyInputError("no bytes but white space")
    if content.startswith(b"%PDF-"):
        return PDF
    for magic, media_type in _READABLE:
        if content.startswith(magic):
            return media_type
    if content.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return _package_type(content)
    if content.startswith(_OLE):
        raise _ole_error(content)
    sample = _sample(content)
    if sample is not None and _is_email(sample):
        return "message/rfc822"
    if _has_late_pdf_header(content):
        return PDF
    for offset, magic, name in _KNOWN:
        if content.startswith(magic, offset):
            if magic in {b"BM", b"BZh", b"ID3"} and sample is not None:
                continue  # two or three letters that a text may start with
            raise UnsupportedError(name)
    if content.startswith(b"RIFF"):
        raise UnsupportedError(_RIFF.get(content[8:12], "binary data"))
    if sample is None:
        raise UnsupportedError("binary data")
    return _text_type(content, sample)


def _text_type(content: bytes, sample: str) -> str:
    text = sample.lstrip("\ufeff\0 \t\r\n\f\v")
    if not text:
        if len(content) <= _SAMPLE_BYTES:
            raise EmptyInputError("no text but white space")
        return "text/plain"
    if text.startswith(("MSH|", "FHS|", "BHS|")):
        raise UnsupportedError("HL7 version 2 message")
    if text.startswith("<"):
        found = _markup_type(content, text)
        if found is not None:
            return found
    if text.startswith("From ") and re.match(r"From \S+.*\d{4}\s*$", text.split("\n", 1)[0]):
        raise UnsupportedError("mailbox of several messages (mbox)")
    whole = len(content) <= _SAMPLE_BYTES
    lines = sample if whole else sample[: sample.rfind("\n") + 1]
    if not text.startswith(("{", "[{", "[[")) and find_delimiter(lines) is not None:  # JSON is not a table
        return "text/csv"
    return "text/markdown" if _is_markdown(text) else "text/plain"


def _sample(content: bytes) -> str | None:
    """The start as text, or None if it is not text."""
    head = content[:_SAMPLE_BYTES]
    codec, _ = encoding_of(
        head[: head.rfind(b"\n") + 1] if len(content) > _SAMPLE_BYTES and b"\n" in head else head
    )
    if codec.startswith(("utf-16", "utf-32")):
        unit = 4 if "32" in codec else 2
        text = head[: len(head) // unit * unit].decode(codec, "replace")
        bad = sum(1 for char in text if (char < " " and char not in "\t\n\v\f\r") or char == "\ufffd")
        return text if bad <= len(text) / 50 else None
    body = content.rstrip(b"\0")
    for part in (head.rstrip(b"\0"), body):  # the whole as well: a text may turn into binary further on
        controls = len(part) - len(part.translate(None, _CONTROL))
        nuls = part.count(0)
        if controls - nuls > len(part) / 100 or nuls > len(part) / 10:
            return None
    text = head.decode(codec, "replace")
    if codec == "cp1252":
        strange = sum(1 for char in text if char > "\x7f")
        visible = sum(1 for char in text if not char.isspace())
        if strange > max(3, visible * 0.35):  # no Western text has so many accents
            return None
    return text


def _has_late_pdf_header(content: bytes) -> bool:
    """Junk before the header, as PDF readers allow: but then the file must have objects."""
    found = re.search(rb"%PDF-\d", content[:_PDF_WINDOW])
    return found is not None and re.search(rb"\d\s+\d+\s+obj\b", content[found.start() :]) is not None


def _package_type(content: bytes) -> str:
    package = Package(content, _ANY_SIZE)
    if "[Content_Types].xml" in package:
        types = _part_start(package, "[Content_Types].xml")
        for mark, media_type in (
            ("wordprocessingml.document.main+xml", DOCX),
            ("wordprocessingml.template.main+xml", DOCX),
            ("ms-word.document.macroenabled.main+xml", DOCX),
            ("spreadsheetml.sheet.main+xml", XLSX),
            ("spreadsheetml.template.main+xml", XLSX),
            ("ms-excel.sheet.macroenabled.main+xml", XLSX),
        ):
            if mark in types:
                return media_type
        for mark, name in (
            ("presentationml", "PowerPoint presentation"),
            ("ms-powerpoint", "PowerPoint presentation"),
            ("ms-excel.sheet.binary", "binary Excel workbook (.xlsb)"),
            ("ms-visio", "Visio drawing"),
        ):
            if mark in types:
                raise UnsupportedError(name)
        raise UnsupportedError("Office Open XML package of another kind")
    if "mimetype" in package:
        kind = _part_start(package, "mimetype")
        if "opendocument" in kind:
            raise UnsupportedError("OpenDocument file")
        if "epub" in kind:
            raise UnsupportedError("EPUB book")
    raise UnsupportedError("zip archive")


def _part_start(package: Package, name: str) -> str:
    """The first megabyte of a part, in lower case."""
    from extractor.readers.container import ZIP_ERRORS

    try:
        with package.stream(name) as stream:
            return stream.read(1 << 20).decode("utf-8", "replace").lower()
    except ZIP_ERRORS:
        raise CorruptError("the package's table of types cannot be read") from None


def _ole_error(content: bytes) -> EncryptedError | UnsupportedError:
    if "EncryptedPackage".encode("utf-16-le") in content:
        return EncryptedError("an office document under a password")
    for stream, name in _OLE_STREAMS:
        if (stream + "\0").encode("utf-16-le") in content:
            return UnsupportedError(name)
    return UnsupportedError("OLE container")


def _is_email(sample: str) -> bool:
    """Whether the text starts with the header block of an Internet message.

    Transport headers or addresses must be there: a memo typed as text may
    start with From, To, Date and Subject as well.
    """
    lines = sample.lstrip("\ufeff\r\n").splitlines()
    if lines and lines[0].startswith(("From ", ">From ")):
        lines = lines[1:]
    names: dict[str, str] = {}
    wrong = 0
    for index, line in enumerate(lines[:2_000]):
        if not line.strip():
            break
        if line[0] in " \t" and index:
            continue
        match = _HEADER_LINE.match(line)
        if match is None:
            wrong += 1
            if index == 0 or wrong > 3:
                return False
            continue
        names.setdefault(match.group(1).lower(), line[match.end() :])
    people = _PEOPLE & names.keys()
    if len(names) >= 3 and people and len(_TRANSPORT & names.keys()) >= 2:
        return True
    if people and {"message-id", "received", "mime-version"} & names.keys():
        return True
    return (
        len(people) >= 3 and "@" in names.get("from", "") and ("@" in names.get("to", "") or "date" in names)
    )


def _markup_type(content: bytes, text: str) -> str | None:
    """HTML or XML by its root; None if it is a text that happens to start with a bracket."""
    if _HTML_START.match(text[:4_096]):
        return "text/html"
    root = _root_tag(content, declared=text.startswith("<?xml"))
    if root is None:
        return "text/html" if re.search(r"<html[\s>]", text[:1_024], re.IGNORECASE) else None
    if root == f"{_HL7}document":
        return SPL
    if root == f"{_HL7}ClinicalDocument":
        return CDA
    return "text/html" if root.rpartition("}")[2].lower() == "html" else "application/xml"


def _root_tag(content: bytes, *, declared: bool) -> str | None:
    """The root's tag; None if there is no XML declaration and the whole is not well-formed."""
    start = content.lstrip(b" \t\r\n") if declared else content
    parser = etree.XMLPullParser(events=("start",), resolve_entities=False, no_network=True, load_dtd=False)
    tag: str | None = None
    try:
        for offset in range(0, len(start), _SAMPLE_BYTES):
            parser.feed(start[offset : offset + _SAMPLE_BYTES])
            for _, element in parser.read_events():
                if tag is None:
                    tag = str(element.tag)
                    if declared or tag.startswith(_HL7):
                        return tag
                else:
                    element.clear()
        parser.close()
    except etree.XMLSyntaxError:
        if declared:
            raise CorruptError("XML without a readable root element") from None
        return None
    return tag


def _is_markdown(text: str) -> bool:
    """Headings with ``#`` and at least one more mark, or two headings."""
    headings = len(re.findall(r"(?m)^#{1,6} +\S", text))
    others = len(
        re.findall(r"(?m)^(?:[-*+] +\S|---+\s*$|\|.+\|\s*$|```|> )|\*\*\S[^*\n]*\*\*|\]\(https?:", text)
    )
    return headings >= 2 or (headings == 1 and others >= 1)
