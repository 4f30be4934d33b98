"""Office Open XML packages: a zip whose parts are read one by one under limits."""

from __future__ import annotations

import lzma
import posixpath
import struct
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import IO

from lxml import etree

from extractor.errors import CorruptError, EncryptedError, LimitError
from extractor.ports import ReadLimits
from extractor.readers.flow import check_expanded

MAX_PARTS = 20_000
ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    KeyError,
    ValueError,
    IndexError,
    OverflowError,
    NotImplementedError,  # a compression method or feature that is not known
    RuntimeError,  # a part with a password
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_DOCUMENTS = tuple(name.encode("utf-16-le") for name in ("WordDocument", "Workbook", "EncryptedPackage"))


class Package:
    """The parts of one package by name; never inflates more than allowed."""

    def __init__(self, content: bytes, limits: ReadLimits) -> None:
        try:
            self._zip = zipfile.ZipFile(BytesIO(content))
            entries = self._zip.infolist()
        except ZIP_ERRORS:
            raise CorruptError("the zip directory cannot be read") from None
        if len(entries) > MAX_PARTS:
            raise LimitError(f"a package of more than {MAX_PARTS} parts", code="limit.parts")
        if any(entry.flag_bits & 1 for entry in entries):
            raise EncryptedError("parts of the package are encrypted")
        check_expanded(sum(entry.file_size for entry in entries), limits)
        self.names = [entry.filename for entry in entries]
        self._known = {name.lower(): name for name in self.names}

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._known

    def read(self, name: str) -> bytes:
        """The bytes of a part.

        Raises:
            CorruptError: no such part, or it cannot be inflated.
        """
        try:
            return self._zip.read(self._known[name.lower()])
        except ZIP_ERRORS:
            raise CorruptError("a part of the package cannot be read") from None

    def stream(self, name: str) -> IO[bytes]:
        """A part as a stream; reading from it raises ``ZIP_ERRORS``.

        Raises:
            CorruptError: no such part.
        """
        try:
            return self._zip.open(self._known[name.lower()])
        except ZIP_ERRORS:
            raise CorruptError("a part of the package cannot be read") from None

    def xml(self, name: str) -> etree._Element:
        """The root of an XML part.

        Raises:
            CorruptError: the part is absent or not XML.
        """
        return parse_xml(self.read(name))

    def targets(self, name: str) -> dict[str, tuple[str, str]]:
        """Relationships of a part (``""`` for the package): id -> (kind, part name); outside ones left out."""
        folder, base = posixpath.split(name)
        rels = posixpath.join(folder, "_rels", base + ".rels")
        if rels not in self:
            return {}
        found: dict[str, tuple[str, str]] = {}
        for relation in self.xml(rels):
            target = relation.get("Target")
            if target is None or relation.get("TargetMode") == "External":
                continue
            path = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
            kind = (relation.get("Type") or "").rpartition("/")[2]
            found[relation.get("Id") or f"#{len(found)}"] = (kind, path)
        return found

    def main_part(self, default: str) -> str:
        """The part that the package says is the document, else ``default``."""
        for kind, path in self.targets("").values():
            if kind == "officeDocument" and path in self:
                return path
        return default

    def embedded(self, folder: str) -> Iterator[bytes]:
        """Documents embedded under ``folder``: packages, PDFs, and OLE files that hold a document."""
        for name in self.names:
            if name.lower().startswith(folder) and not name.endswith("/"):
                content = self.read(name)
                if content.startswith((b"PK\x03\x04", b"%PDF-")) or (
                    content.startswith(_OLE) and any(mark in content for mark in _OLE_DOCUMENTS)
                ):
                    yield content


def parse_xml(content: bytes) -> etree._Element:
    """The root of ``content``; no entity is expanded, nothing is fetched.

    Comments and processing instructions are left out.

    Raises:
        CorruptError: not well-formed, or with references to entities of its own.
        LimitError: nested too deep, or entities that multiply.
    """
    # Texts over 10 MB (pictures and files in base64) need the parser's wider
    # bounds, which are safe where no entity can be declared.
    huge = len(content) > 9_000_000 and b"<!ENTITY" not in content and b"\0" not in content[:1_000]
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=huge,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise xml_error(error) from None
    except ValueError:
        raise CorruptError("the XML cannot be parsed") from None
    if next(root.iter(etree.Entity), None) is not None:
        raise CorruptError("the XML refers to entities, which are not expanded")
    return root


def xml_error(error: etree.XMLSyntaxError) -> CorruptError | LimitError:
    """What the parser's complaint means; its own message may quote the document."""
    message = error.msg or ""
    if "depth" in message:
        return LimitError("XML nested too deep", code="limit.depth")
    if "amplification" in message or "entity loop" in message.lower():
        return LimitError("XML entities that multiply", code="limit.entities")
    return CorruptError(f"not well-formed XML at line {error.lineno or 0}")


def local_name(element: etree._Element) -> str:
    """The tag without its namespace; empty for comments, instructions and entities."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""
