"""XML of clinical systems: SPL drug labels, C-CDA documents, and any other XML.

SPL and C-CDA: titles are headings, the narrative ``<text>`` of the sections
follows in the order of the document, with lists and tables; section codes are
not printed and not text. What stands only in data elements (patient, author,
dates; product, ingredients, strengths) has no narrative and becomes key-value
lines ``parent element: value`` such as ``patient birthTime: 19750501``, whose
labels are the document's own element names and whose values are its own texts
and attributes (``displayName`` of codes). The coded entries of C-CDA sections
repeat the narrative and are left out.

Other XML: its text nodes in order, a line each; mixed content stays together.
Files held as base64 are attachments.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any

from lxml import etree

from extractor.errors import LimitError, UnsupportedError
from extractor.ports import Reading, ReadLimits
from extractor.readers.container import local_name, parse_xml
from extractor.readers.flow import FlowBuilder, FlowReading, check_expanded
from extractor.readers.markup import add_markup, cell_text
from extractor.registry import CDA, SPL

_NARRATIVE_PARENTS = {"section", "highlight", "nonXMLBody"}
_TIMES = {"time", "effectiveTime", "birthTime", "low", "high", "center", "versionNumber"}
_PRODUCTS = {"manufacturedProduct", "containerPackagedProduct", "containerPackagedMedicine"}
_NOT_SHOWN = {"entry", "templateId", "realmCode", "typeId", "observationMedia", "relatedDocument"}
_SECTION_DATA = {"id", "code", "effectiveTime", "languageCode", "confidentialityCode"}


class ClinicalXmlReader:
    """Reads SPL, C-CDA and other XML: one page."""

    def open(self, content: bytes, *, media_type: str, limits: ReadLimits) -> Reading:
        check_expanded(len(content), limits)
        root = parse_xml(content.lstrip(b" \t\r\n"))
        attached = list(_embedded(root))
        if len(attached) > limits.max_attachments:
            raise LimitError("more attachments than limits.max_attachments allows", code="limit.attachments")
        builder = FlowBuilder(1)
        if media_type in (SPL, CDA):
            _add_clinical(root, builder)
        else:
            _add_texts(root, builder)
        if not len(builder) and not attached:
            raise UnsupportedError("XML without text")
        page = builder.page()
        return FlowReading(
            media_type=media_type,
            page_count=1,
            make_pages=lambda: (page,),
            make_attachments=lambda: iter(attached),
        )


def _add_clinical(root: etree._Element, builder: FlowBuilder) -> None:
    walker: Any = etree.iterwalk(root, events=("start",))
    for _, element in walker:
        name = local_name(element)
        parent = _parent(element)
        if name in _NOT_SHOWN:
            walker.skip_subtree()
        elif name == "title":
            add_markup(element, builder)
            walker.skip_subtree()
        elif name == "text" and parent in _NARRATIVE_PARENTS:
            if element.get("representation") != "B64":
                add_markup(element, builder)
            walker.skip_subtree()
        elif parent != "section" or name not in _SECTION_DATA:
            value = _datum(element, name, parent)
            if value:
                label = name if parent in ("", local_name(root)) else f"{parent} {name}"
                builder.add(f"{label}: {value}", "key_value", gap="\n")
            if name in ("name", "addr", "quantity", "value"):
                walker.skip_subtree()


def _datum(element: etree._Element, name: str, parent: str) -> str:
    """The value of a data element as the document has it; empty for structure."""
    if name in ("name", "addr"):
        return " ".join(" ".join(element.itertext()).split())
    if name in _TIMES or name == "telecom":
        return str(element.get("value", ""))
    if name == "id":
        return str(element.get("extension", ""))
    if name == "quantity":
        amounts = [_amount(part) for part in element if local_name(part) in ("numerator", "denominator")]
        return "/".join(filter(None, amounts)) or _amount(element)
    if name == "value":
        return element.get("displayName") or _amount(element) or cell_text(element)
    if name == "code" and parent in _PRODUCTS:
        return element.get("displayName") or element.get("code") or ""
    return element.get("displayName", "")


def _amount(element: etree._Element) -> str:
    value, unit = element.get("value", ""), element.get("unit", "1")
    return f"{value} {unit}" if value and unit != "1" else value


def _parent(element: etree._Element) -> str:
    parent = element.getparent()
    return "" if parent is None else local_name(parent)


def _add_texts(root: etree._Element, builder: FlowBuilder) -> None:
    walker: Any = etree.iterwalk(root, events=("start",))
    for _, element in walker:
        if element.get("representation") == "B64":
            walker.skip_subtree()
        elif any(child.tail and child.tail.strip() for child in element):
            builder.add(cell_text(element), gap="\n")
            walker.skip_subtree()
        elif element.text:
            builder.add(element.text, gap="\n")


def _embedded(root: etree._Element) -> Iterator[bytes]:
    for element in root.iter():
        if element.get("representation") == "B64" and element.text:
            try:
                yield base64.b64decode("".join(element.text.split()))
            except (binascii.Error, ValueError):
                yield element.text.encode()  # its own failure, not that of the whole document
