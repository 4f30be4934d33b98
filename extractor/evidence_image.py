"""The evidence image: the place of a row on its page, drawn from the raw document, and nothing else of it.

Only what lies within a margin of the row's words is kept. The document is
read again from where it was found, its digest is checked, and it is opened
and drawn in a process of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from extractor.errors import AccessDeniedError, ConfigError, InputError, UnsupportedError
from extractor.isolation import iter_isolated
from extractor.page_image import has_pictures, iter_page_images, turn_of
from extractor.preview_marks import line_boxes
from extractor.registry import load
from extractor.sources import Source, find_sources
from extractor.spans import BBox
from extractor.tables.entities import MASKED_LABELS

if TYPE_CHECKING:
    from extractor.config import Config
    from extractor.evidence_chain import EvidenceChain
    from extractor.governance.policy import Access
    from extractor.lake.store import Lake
    from extractor.ports import Image, ReadLimits

DPI = 200
MARGIN_X_PT = 60.0
MARGIN_Y_PT = 18.0
_FRAME_RGB = (200, 30, 30)
_HIDDEN_RGB = (70, 70, 70)
_AWAY_RGB = (236, 238, 240)
_SOURCE_CODES = frozenset({"input.unreadable", "input.changed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Region:
    """The words of a row on one page, in points of the upright page, and words that must not be shown."""

    page_no: int
    turn_deg: int
    width_pt: float
    height_pt: float
    boxes: tuple[BBox, ...]
    hidden: tuple[BBox, ...]


def evidence_image(lake: Lake, access: Access, chain: EvidenceChain, *, config: Config) -> bytes:
    """The evidence of a row as PNG: its words outlined, with a margin, page below page.

    Roles without restricted access see no direct identifier: pictures of rows
    that hold one are refused, and others nearby are painted over.

    Raises:
        AccessDeniedError: the principal may not see page pictures of this document, or of this row.
        UnsupportedError: the document has no page pictures.
        InputError: it is gone (``input.unreadable``), is not the same any more
            (``input.changed``) or cannot be drawn.
    """
    _check_access(lake, access, chain)
    document = chain.document
    if not chain.boxes or document.media_type is None or not has_pictures(document.media_type):
        raise UnsupportedError(
            "this row has no place on a page picture",
            code="input.no_picture",
            hint="You: formats without page pictures have their evidence as characters of the text only.",
        )
    regions = _regions(lake, chain, show_all=access.restricted)
    problem: InputError | None = None
    for row in _places(lake, document.doc_id):
        try:
            return _drawn(row, chain, regions, config)
        except InputError as error:
            if error.code not in _SOURCE_CODES:
                raise
            if problem is None or error.code == "input.changed":
                problem = error
    raise problem or _gone(document.doc_id)


def _check_access(lake: Lake, access: Access, chain: EvidenceChain) -> None:
    document = chain.document
    tags = [(chain.classification, chain.consent_scope), (document.classification, document.consent_scope)]
    if lake.now is not lake:  # a snapshot: what holds for the document today holds besides
        names = ["classification", "consent_scope"]
        today = lake.now.read("documents", columns=names, doc_ids=[document.doc_id]).to_pylist()
        tags += [(row["classification"], row["consent_scope"]) for row in today]
    for classification, consent_scope in tags:
        if not access.sees_images(chain.table, classification=classification, consent_scope=consent_scope):
            raise AccessDeniedError("this principal may not see page pictures of this document")
    if not access.restricted and _types(chain) & MASKED_LABELS:
        raise AccessDeniedError("this row is masked, and its picture would show what the mask hides")


def _types(chain: EvidenceChain) -> set[str]:
    """The types of the mentions that a row shows: its own, or those of both ends of a relation."""
    return {chain.values[name] for name in ("type", "head_type", "tail_type") if name in chain.values}


def _regions(lake: Lake, chain: EvidenceChain, *, show_all: bool) -> tuple[_Region, ...]:
    doc_id = chain.document.doc_id
    names = ["page_no", "width_pt", "height_pt", "rotation_deg", "source"]
    pages = {
        row["page_no"]: row for row in lake.read("page_text", columns=names, doc_ids=[doc_id]).to_pylist()
    }
    hidden: dict[int, list[BBox]] = {}
    if not show_all:
        rows = [
            row
            for state in dict.fromkeys((lake, lake.now))  # of a snapshot, what was found since counts too
            for row in state.read("entities", columns=["type", "boxes"], doc_ids=[doc_id]).to_pylist()
        ]
        for row in rows:
            if row["type"] in MASKED_LABELS:
                for box in row["boxes"]:
                    hidden.setdefault(box["page_no"], []).append(
                        BBox(box["x0_pt"], box["y0_pt"], box["x1_pt"], box["y1_pt"])
                    )
    return tuple(
        _Region(
            page_no=page_no,
            turn_deg=turn_of(pages[page_no]["source"], pages[page_no]["rotation_deg"]),
            width_pt=pages[page_no]["width_pt"],
            height_pt=pages[page_no]["height_pt"],
            boxes=tuple(boxes),
            hidden=tuple(hidden.get(page_no, ())),
        )
        for page_no, boxes in line_boxes(chain.boxes)
    )


def _places(lake: Lake, doc_id: str) -> list[Mapping[str, Any]]:
    """Where the document was found: itself before attachments of others."""
    rows = lake.read("sources", columns=["uri", "attachment_no"], doc_ids=[doc_id]).to_pylist()
    return sorted(rows, key=lambda row: (row["attachment_no"] != "", row["uri"], row["attachment_no"]))


def _drawn(
    place: Mapping[str, Any], chain: EvidenceChain, regions: Sequence[_Region], config: Config
) -> bytes:
    document = chain.document
    content = _source(place["uri"], config, document.doc_id).read(max_bytes=config.limits.max_file_bytes)
    path = tuple(int(number) for number in place["attachment_no"].split("/") if number)
    pictures = iter_isolated(
        _draw,
        content,
        path,
        document.doc_id,
        document.media_type,
        tuple(regions),
        config.limits.for_reading(),
        tuple(config.plugins),
        item_time_s=config.limits.page_time_s * len(regions),
        memory_mb=config.limits.worker_memory_mb,
    )
    return next(iter(list(pictures)))


def _source(uri: str, config: Config, doc_id: str) -> Source:
    try:
        found = find_sources([uri], storage_options=config.sources.storage_options)
    except ConfigError:
        raise _gone(doc_id) from None
    for source in found:
        if source.address == uri:
            return source
    raise _gone(doc_id)


def _gone(doc_id: str) -> InputError:
    return InputError(
        "the document is not where it was found",
        doc_id=doc_id,
        code="input.unreadable",
        hint="Operator: bring the document back to its source, or check that the engine may read it.",
    )


def _changed(doc_id: str) -> InputError:
    return InputError(
        "the source holds other bytes than those that were extracted",
        doc_id=doc_id,
        code="input.changed",
        hint="Operator: bring the document back as it was, or run the engine on it again.",
    )


def _draw(
    content: bytes,
    path: tuple[int, ...],
    doc_id: str,
    media_type: str,
    regions: tuple[_Region, ...],
    limits: ReadLimits,
    plugins: tuple[str, ...],
) -> Iterator[bytes]:
    """Runs in a process of its own: take the document out, check it, draw its regions into one PNG."""
    import numpy as np
    from PIL import Image as Pillow

    for number in path:
        content = _attachment(content, number, doc_id, limits, plugins)
    if hashlib.sha256(content).hexdigest() != doc_id:
        raise _changed(doc_id)
    turns = {region.page_no: region.turn_deg for region in regions}
    images = dict(iter_page_images(content, media_type, turns=turns, dpi=DPI, limits=limits, plugins=plugins))
    parts: list[Image] = []
    for region in regions:
        image = images[region.page_no]
        if isinstance(image, InputError):
            raise image
        parts.append(_cut(image, region))
    width = max(part.shape[1] for part in parts)
    padded = []
    for part in parts:
        frame = np.full((part.shape[0] + 12 * (part is not parts[-1]), width, 3), _AWAY_RGB, dtype=np.uint8)
        frame[: part.shape[0], : part.shape[1]] = part
        padded.append(frame)
    buffer = BytesIO()
    Pillow.fromarray(np.concatenate(padded)).save(buffer, format="PNG", optimize=True, dpi=(DPI, DPI))
    yield buffer.getvalue()


def _attachment(
    content: bytes, number: int, doc_id: str, limits: ReadLimits, plugins: tuple[str, ...]
) -> bytes:
    from extractor.readers.sniff import media_type_of

    media_type = media_type_of(content)
    reader = load("readers", media_type, plugins=plugins)()
    with reader.open(content, media_type=media_type, limits=limits) as reading:
        for attachment in reading.attachments():
            if attachment.attachment_no == number:
                found: bytes = attachment.content
                return found
    raise _changed(doc_id)


def _cut(image: Image, region: _Region) -> Image:
    """The region of an upright page: words outlined, what is further than the margin left out."""
    import numpy as np
    from PIL import Image as Pillow, ImageDraw

    pixels = image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)
    height, width = pixels.shape[:2]
    x_scale, y_scale = width / region.width_pt, height / region.height_pt

    def to_pixels(box: BBox, x_pt: float, y_pt: float) -> tuple[int, int, int, int]:
        return (
            max(0, int((box.x0_pt - x_pt) * x_scale)),
            max(0, int((box.y0_pt - y_pt) * y_scale)),
            min(width, int((box.x1_pt + x_pt) * x_scale) + 1),
            min(height, int((box.y1_pt + y_pt) * y_scale) + 1),
        )

    around = [to_pixels(box, MARGIN_X_PT, MARGIN_Y_PT) for box in region.boxes]
    kept = np.zeros((height, width), dtype=bool)
    for x0, y0, x1, y1 in around:
        kept[y0:y1, x0:x1] = True
    pixels = pixels.copy()
    for box in region.hidden:
        x0, y0, x1, y1 = to_pixels(box, 1.0, 1.0)
        pixels[y0:y1, x0:x1] = _HIDDEN_RGB
    cut = np.where(kept[:, :, None], pixels, np.array(_AWAY_RGB, dtype=np.uint8))
    canvas = Pillow.fromarray(np.ascontiguousarray(cut, dtype=np.uint8))
    pen = ImageDraw.Draw(canvas)
    for box in region.boxes:
        pen.rectangle(to_pixels(box, 2.0, 1.5), outline=_FRAME_RGB, width=max(2, round(x_scale * 0.8)))
    left, top = min(one[0] for one in around), min(one[1] for one in around)
    right, bottom = max(one[2] for one in around), max(one[3] for one in around)
    return np.asarray(canvas.crop((left, top, right, bottom)))
