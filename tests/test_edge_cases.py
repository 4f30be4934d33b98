"""Odd and hostile documents: each ends in a known state, and none takes anything along."""

import io
import random
from functools import cache
from pathlib import Path

import pymupdf
import pytest

from extractor.config import load_config
from extractor.document import Page, PageFailure
from extractor.errors import InputError
from extractor.governance.inventory import load_inventory
from extractor.governance.policy import load_policy
from extractor.isolation import iter_isolated
from extractor.lake.store import Lake
from extractor.lake.verify import verify
from extractor.ports import ReadLimits, ScannedPage
from extractor.registry import DOCX, PDF, load
from extractor.resources import folder
from extractor.run import run
from extractor.sources import find_sources
from tests.readers.made import docx_bytes, mutated

EDGE_CASES = Path(__file__).parents[1] / ".." / "shared" / "data" / "documents" / "pdf_edge_cases"
NO_DOCUMENTS = {"README.md", "manifest.jsonl"}

NOT_EXTRACTED = {
    "378014596.pdf": ("quarantined", "input.corrupt"),
    "aes-128.pdf": ("quarantined", "input.encrypted"),
    "aes-256-r6.pdf": ("quarantined", "input.encrypted"),
    "content-stream-errors.pdf": ("partial", "input.page_damaged"),
    "empty.pdf": ("quarantined", "input.empty"),
    "fake-power-point-malformed.pptx": ("quarantined", "input.unsupported"),
    "invalid.pdf": ("quarantined", "input.corrupt"),
    "libreoffice-writer-password.pdf": ("quarantined", "input.encrypted"),
    "page_tree_cycle.pdf": ("quarantined", "input.corrupt"),
    "password-example.pdf": ("quarantined", "input.encrypted"),
    "password_protected.xlsx": ("quarantined", "input.encrypted"),
    "rc4-40.pdf": ("quarantined", "input.encrypted"),
    "truncated_60pct.pdf": ("partial", "input.page_missing"),
    "zen_of_python_corrupted.pdf": ("partial", "input.page_damaged"),
    "zero_pages.pdf": ("quarantined", "input.empty"),
}
"""All others are extracted whole."""

ATTACHMENTS = {"fake-email-attachment.eml": 1, "issue-625-identity-cmap.pdf": 2, "with-attachment.pdf": 1}

UNREADABLE_BY_THESE_LETTERS = {"chi_sim_image.jpeg", "habibi.pdf", "malformed-from-issue-932.pdf"}
"""Scripts that the English OCR data do not know: read they may be, trusted they must not be."""

FAILED_PAGES = {"truncated_60pct.pdf": list(range(2, 16)), "content-stream-errors.pdf": [1, 3, 4]}


@pytest.mark.shared
@pytest.mark.skipif(not EDGE_CASES.is_dir(), reason="the corpora are not beside the checkout")
def test_every_edge_case_ends_in_its_known_state_and_none_is_lost(tmp_path):
    names = sorted(path.name for path in EDGE_CASES.iterdir() if path.name not in NO_DOCUMENTS)
    config = load_config(overrides={"ocr": {"second_engine": None}})  # it changes words, not states
    policy = load_policy(folder("configs") / "policy.yaml")
    lake = Lake(str(tmp_path / "lake"), config.lake)

    tally, statistics = run(
        find_sources([str(EDGE_CASES / name) for name in names]),
        lake,
        config=config,
        inventory=load_inventory(policy),
        workers=2,
    )

    assert len(names) == 72
    assert statistics.crashed == 0
    carriers = {row["doc_id"]: row for row in lake.read("sources").to_pylist()}
    found, attachments, poor, failed = {}, dict.fromkeys(ATTACHMENTS, 0), set(), {}
    for row in lake.read("documents").to_pylist():
        source = carriers[row["doc_id"]]
        name = Path(source["uri"]).name
        if source["attachment_no"]:
            attachments[name] += 1
            continue
        found[name] = (row["status"], row["status_code"])
        if row["pages_poor"]:
            poor.add(name)
        if row["pages_ok"] and row["pages_failed"]:
            failed[name] = sorted(row["failed_pages"])
    assert found == {name: NOT_EXTRACTED.get(name, ("extracted", None)) for name in names}
    assert attachments == ATTACHMENTS
    assert poor >= UNREADABLE_BY_THESE_LETTERS
    assert failed == FAILED_PAGES
    assert (tally.seen, tally.skipped, tally.bugs) == (72 + sum(ATTACHMENTS.values()), 0, 0)
    assert verify(lake, class_order=policy.classes, scope_order=policy.consent_scopes).findings == ()


def _lines(number):
    return [f"page {number} line {line} of the record" for line in range(12)]


@cache
def _pdf(compressed):
    with pymupdf.open() as document:
        for number in (1, 2, 3):
            page = document.new_page(width=300, height=300)
            for line, text in enumerate(_lines(number)):
                page.insert_text((20, 30 + 18 * line), text)
        page.draw_rect((10, 250, 290, 290))
        options = {"deflate": True, "use_objstms": 1} if compressed else {"garbage": 4, "clean": True}
        return document.tobytes(**options)


@cache
def _tiff():
    from PIL import Image

    target = io.BytesIO()
    pages = [Image.new("1", (200, 100), 1) for _ in range(2)]
    for page in pages:
        page.paste(0, (20, 20, 90, 40))
    pages[0].save(target, "TIFF", save_all=True, append_images=pages[1:], compression="group4")
    return target.getvalue()


def _story(document):
    document.add_heading("Batch record", 1)
    document.add_table(2, 2).cell(0, 0).text = "Lot"
    document.add_paragraph("released")


SOUND = {
    "pdf": (PDF, lambda: _pdf(compressed=False)),
    "pdf with object streams": (PDF, lambda: _pdf(compressed=True)),
    "tiff": ("image/tiff", _tiff),
    "docx": (DOCX, lambda: docx_bytes(_story)),
}


def read_damaged(kind, damage, seeds):
    """For each seed what reading the damaged document gave: an error's code, or its items in short. Runs in a child."""
    media_type, make = SOUND[kind]
    sound = make()
    for seed in seeds:
        cut = sound[: random.Random(seed).randrange(1, len(sound))]
        yield seed, _read(cut if damage == "cut" else mutated(sound, seed), media_type)


def _read(content, media_type):
    limits = ReadLimits(max_page_pixels=1_000_000)
    items = []
    try:
        with load("readers", media_type)().open(content, media_type=media_type, limits=limits) as reading:
            for item in reading.pages():
                if isinstance(item, PageFailure):
                    items.append((item.page_no, "failed", item.code))
                elif isinstance(item, Page):
                    items.append((item.page_no, item.quality, item.text))
                else:
                    assert isinstance(item, ScannedPage)
                    items.append((item.page_no, "scanned", _draw(item)))
            list(reading.attachments())
            return reading.page_count, items
    except InputError as error:
        return error.code


def _draw(page):
    try:
        return str(page.image(100).shape)
    except InputError as error:
        return error.code


def _outcomes(kind, damage, count=25):
    return list(iter_isolated(read_damaged, kind, damage, range(count), item_time_s=10, memory_mb=2048))


@pytest.mark.parametrize("damage", ["cut", "bytes changed"])
@pytest.mark.parametrize("kind", SOUND)
def test_damage_gives_input_errors_or_named_pages_and_nothing_else(kind, damage):
    outcomes = _outcomes(kind, damage)

    assert [seed for seed, _ in outcomes] == list(range(25))
    for _, outcome in outcomes:
        if not isinstance(outcome, str):
            page_count, items = outcome
            assert sorted({page_no for page_no, _, _ in items}) == list(range(1, page_count + 1))


def test_a_pdf_cut_off_anywhere_never_passes_for_whole():
    for _, outcome in _outcomes("pdf", "cut", 60):
        if isinstance(outcome, str):
            continue
        _, items = outcome
        failed = {page_no for page_no, state, _ in items if state == "failed"}
        for page_no, state, text in items:
            if page_no not in failed:
                assert (state, text) == ("good", "\n".join(_lines(page_no)))
        if len(items) - len(failed) < 3:
            assert failed
