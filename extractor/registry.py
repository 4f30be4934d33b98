"""Adapters by name: the only place that knows where an adapter lives.

Names map to ``"module:Class"`` and are imported when asked for. Code from
elsewhere is used only when the configuration's ``plugins`` names it: a
distribution, whose entry points in the groups ``extractor.readers``,
``extractor.ocr_engines``, ``extractor.extractors``, ``extractor.refiners`` and
``extractor.relators`` add names, or a package,
whose classes can be named directly as ``"package.module:Class"``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from extractor.errors import ConfigError

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SPL = "application/hl7-spl+xml"
CDA = "application/hl7-cda+xml"

READERS: Mapping[str, str] = {
    PDF: "extractor.readers.pdf:PdfReader",
    "image/png": "extractor.readers.image:ImageReader",
    "image/jpeg": "extractor.readers.image:ImageReader",
    "image/tiff": "extractor.readers.image:ImageReader",
    "text/plain": "extractor.readers.text:TextReader",
    "text/markdown": "extractor.readers.text:TextReader",
    "text/html": "extractor.readers.html:HtmlReader",
    "text/csv": "extractor.readers.delimited:DelimitedReader",
    DOCX: "extractor.readers.docx:DocxReader",
    XLSX: "extractor.readers.xlsx:XlsxReader",
    "message/rfc822": "extractor.readers.email:EmailReader",
    SPL: "extractor.readers.clinical_xml:ClinicalXmlReader",
    CDA: "extractor.readers.clinical_xml:ClinicalXmlReader",
    "application/xml": "extractor.readers.clinical_xml:ClinicalXmlReader",
}

OCR_ENGINES: Mapping[str, str] = {
    "tesserocr": "extractor.ocr.tesserocr:TesserocrEngine",
    "tesseract": "extractor.ocr.tesseract:TesseractEngine",
    "rapidocr": "extractor.ocr.rapidocr:RapidOcrEngine",
}

EXTRACTORS: Mapping[str, str] = {
    "ner": "extractor.extractors.ner:NerExtractor",
    "dictionary": "extractor.extractors.dictionary:DictionaryExtractor",
    "measurement": "extractor.extractors.measurement:MeasurementExtractor",
    "date": "extractor.extractors.date:DateExtractor",
    "dose": "extractor.extractors.dose:DoseExtractor",
    "identifier": "extractor.extractors.identifier:IdentifierExtractor",
    "abbreviation": "extractor.extractors.abbreviation:AbbreviationExtractor",
    "spacy": "extractor.extractors.spacy_ner:SpacyExtractor",
    "gliner": "extractor.extractors.gliner:GlinerExtractor",
}

REFINERS: Mapping[str, str] = {
    "section": "extractor.refiners.section:SectionRefiner",
    "abbreviation": "extractor.refiners.abbreviation_carry:AbbreviationCarryRefiner",
    "assertion": "extractor.refiners.assertion:AssertionRefiner",
    "language": "extractor.refiners.language:LanguageRefiner",
    "linker": "extractor.refiners.linker:LinkerRefiner",
}
"""What adds meaning to mentions after overlaps were resolved."""

RELATORS: Mapping[str, str] = {
    "sentence": "extractor.relators.sentence:SentenceRelator",
    "chemical_disease": "extractor.relators.chemical_disease:ChemicalDiseaseRelator",
}
"""What links mentions of one document."""

QUEUES: Mapping[str, str] = {
    "sqlite": "extractor.queues.sqlite:SqliteQueue",
    "postgresql": "extractor.queues.postgresql:PostgresqlQueue",
    "amqp": "extractor.queues.amqp:AmqpQueue",
    "redis": "extractor.queues.redis:RedisQueue",
    "sqs": "extractor.queues.sqs:SqsQueue",
}
"""Queues by the scheme of their URL."""

_SHELVES: Mapping[str, Mapping[str, str]] = {
    "readers": READERS,
    "ocr_engines": OCR_ENGINES,
    "extractors": EXTRACTORS,
    "refiners": REFINERS,
    "relators": RELATORS,
    "queues": QUEUES,
}


def load(shelf: str, name: str, *, plugins: Collection[str] = ()) -> Any:
    """The class registered as ``name`` on a shelf: readers, ocr_engines, extractors, refiners, relators, queues.

    ``plugins`` names the distributions and packages that may be used.

    Raises:
        ConfigError: nothing of that name, with the nearest names, or a plug-in that is not allowed.
    """
    target = _SHELVES[shelf].get(name)
    if target is None and ":" in name:
        if not any(name.startswith((f"{plugin}.", f"{plugin}:")) for plugin in plugins):
            raise ConfigError(f"{name!r} belongs to no package that the setting plugins allows")
        target = name
    if target is None:
        for entry in entry_points(group=f"extractor.{shelf}"):
            if entry.name == name and entry.dist is not None and entry.dist.name in plugins:
                return entry.load()
        near = get_close_matches(name, _SHELVES[shelf], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(_SHELVES[shelf]))}"
        raise ConfigError(f"no {shelf.rstrip('s').replace('_', ' ')} named {name!r}{hint}")
    module, _, attribute = target.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ModuleNotFoundError, AttributeError):
        if target != name:
            raise
        raise ConfigError(f"the plug-in {name!r} cannot be imported") from None
