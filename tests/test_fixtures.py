"""The shipped documents: what the table says of them is true, and they can be made again."""

import csv
import hashlib
import importlib.metadata
import json
import re
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pymupdf
import pytest
from PIL import Image

from extractor.config import load_config
from extractor.governance.inventory import load_inventory
from extractor.governance.policy import load_policy
from extractor.lake.store import Lake
from extractor.resources import folder
from extractor.run import run
from extractor.sources import find_sources

FIXTURES = Path(__file__).parents[1] / "fixtures"
PROGRAM = ("generator", "make_fixtures.py", "README.md", "__pycache__")
RECORD = FIXTURES / "batch_record" / "executed_batch_record.pdf"


def shipped():
    return sorted(
        path
        for path in FIXTURES.rglob("*")
        if path.is_file() and not any(part in PROGRAM for part in path.parts)
    )


def listed():
    rows = {}
    for line in (FIXTURES / "README.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and re.fullmatch(r"[0-9a-f]{16}", cells[5]):
            rows[cells[0]] = cells
    return rows


@pytest.fixture(scope="module")
def truth():
    return json.loads((FIXTURES / "truth" / "batch_record.json").read_text(encoding="utf-8"))


def table(truth, name):
    (found,) = (table for table in truth["tables"] if table["name"] == name)
    return found


def texts(found, *, header=False):
    return [[cell["text"] for cell in row["cells"]] for row in found["rows"] if row["header"] == header]


def test_each_shipped_file_is_listed_with_its_size_its_digest_and_what_it_proves():
    rows = listed()

    assert set(rows) == {path.relative_to(FIXTURES).as_posix() for path in shipped()}
    for path, (_, origin, licence, proves, size, digest) in rows.items():
        content = (FIXTURES / path).read_bytes()
        assert (int(size.replace(",", "")), digest) == (
            len(content),
            hashlib.sha256(content).hexdigest()[:16],
        ), path
        assert (origin, licence) == ("made here", "CC0-1.0")
        assert len(proves) > 10


def test_the_whole_folder_stays_below_four_megabytes():
    assert sum(path.stat().st_size for path in shipped()) < 4_000_000


def test_the_generator_makes_the_same_bytes_again(tmp_path):
    pinned = dict(
        line.strip().split("==")
        for line in (FIXTURES.parent / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if re.match(r"(pymupdf|pillow|python-docx|openpyxl|numpy)==", line, re.IGNORECASE)
    )
    other = {name for name, version in pinned.items() if importlib.metadata.version(name) != version}
    if other:
        pytest.skip(f"the bytes hold for the pinned versions only; differing here: {sorted(other)}")

    subprocess.run([sys.executable, FIXTURES / "make_fixtures.py", tmp_path], check=True, capture_output=True)

    made = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert made - {Path("README.md")} == {path.relative_to(FIXTURES) for path in shipped()}
    for path in made:
        assert (tmp_path / path).read_bytes() == (FIXTURES / path).read_bytes(), path


def test_the_truth_of_the_batch_record_holds_exactly_the_words_of_its_pages(truth):
    with pymupdf.open(RECORD) as record:
        assert record.page_count == truth["page_count"] == 8
        for page, text in zip(record, truth["pages"], strict=True):
            assert Counter("".join(page.get_text().split())) == Counter("".join(text.split()))
            assert f"Page {page.number + 1} of 8" in text


def test_each_cell_of_the_truth_stands_in_its_box(truth):
    with pymupdf.open(RECORD) as record:
        pages = [page.get_text("words") for page in record]
    checked = 0
    for found in truth["tables"]:
        for row in found["rows"]:
            for cell in row["cells"]:
                x0, y0, x1, y1 = cell["box"]
                inside = [
                    word[4]
                    for word in pages[row["page_no"] - 1]
                    if x0 <= (word[0] + word[2]) / 2 <= x1 and y0 <= (word[1] + word[3]) / 2 <= y1
                ]
                assert Counter("".join(inside)) == Counter("".join(cell["lines"]).replace(" ", ""))
                checked += 1
    assert checked > 500


def test_the_process_steps_run_over_a_page_break_with_their_header_repeated(truth):
    steps = table(truth, "process_steps")

    assert steps["pages"] == [4, 5]
    assert [row["page_no"] for row in steps["rows"] if row["header"]] == [4, 5]
    assert [row["repeated"] for row in steps["rows"] if row["header"]] == [False, True]
    assert any(cell.get("struck") == "12 min" for row in steps["rows"] for cell in row["cells"])


def test_narrow_columns_cut_words_and_lot_numbers(truth):
    printed = {tuple(cell["lines"]) for row in table(truth, "dispensing")["rows"] for cell in row["cells"]}

    assert ("Croscarmellos", "e Sodium") in printed
    assert ("A24K0931-", "2") in printed


def test_weights_and_yields_of_the_record_add_up(truth):
    weights = [[Decimal(cell) for cell in row[4:8]] for row in texts(table(truth, "dispensing"))]
    assert all(gross - tare == net == required for required, gross, tare, net in weights)
    assert sum(net for *_, net in weights[:7]) == Decimal("60.000")

    for _, theoretical, actual, percent, *_ in texts(table(truth, "yields")):
        amounts = [Decimal(value.removesuffix(" kg")) for value in (actual, theoretical)]
        assert round(amounts[0] / amounts[1] * 100, 1) == Decimal(percent)

    masses = [Decimal(row[1]) for row in texts(table(truth, "compression_controls"))]
    assert round(sum(masses) / len(masses), 1) == Decimal("150.3")


@pytest.mark.parametrize(
    ("scan", "text", "pages"),
    [("batch_record_scan", "batch_record_scan", 4), ("discharge_letter", "discharge_letter", 2)],
)
def test_the_truth_of_a_scan_has_one_text_per_page(scan, text, pages):
    parts = (FIXTURES / "truth" / f"{text}.txt").read_text(encoding="utf-8").split("\f")

    assert len(parts) == pages, scan
    assert all(len(part) > 500 for part in parts)


def test_the_scanned_record_has_pictures_only_and_one_sheet_lies_turned():
    with pymupdf.open(FIXTURES / "batch_record" / "executed_batch_record_scan.pdf") as scan:
        assert all(page.get_text() == "" and len(page.get_images()) == 1 for page in scan)
        assert [page.rect.width > page.rect.height for page in scan] == [False, False, True, False]
        assert all(page.rotation == 0 for page in scan)


def test_the_discharge_letter_is_a_group_4_tiff_of_two_pages():
    with Image.open(FIXTURES / "clinical" / "discharge_letter.tif") as letter:
        assert (letter.n_frames, letter.mode, letter.info["compression"]) == (2, "1", "group4")
        assert letter.info["dpi"] == (200, 200)


def test_the_regulatory_letter_has_two_digital_pages_that_say_what_the_truth_says():
    parts = (FIXTURES / "truth" / "regulatory_letter.txt").read_text(encoding="utf-8").split("\f")

    with pymupdf.open(FIXTURES / "regulatory" / "complete_response_letter.pdf") as letter:
        assert len(parts) == letter.page_count == 2
        for page, text in zip(letter, parts, strict=True):
            assert Counter(page.get_text().split()) == Counter(text.split())


def test_the_encrypted_file_opens_with_the_password_of_the_table_and_with_no_other():
    with pymupdf.open(FIXTURES / "hostile" / "encrypted.pdf") as locked:
        assert locked.needs_pass
        assert not locked.authenticate("wrong")
        assert locked.authenticate("fixture")
        assert "randomisation code" in locked[0].get_text()


def test_the_manifest_fits_the_policy_and_leaves_some_documents_to_the_strictest_class():
    policy = load_policy(folder("configs") / "policy.yaml")
    inventory = load_inventory(policy, manifest=FIXTURES / "manifest.csv")
    with (FIXTURES / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = {row["path"]: row for row in csv.DictReader(stream)}

    documents = [path for path in shipped() if path.parent.name not in {"truth", "fixtures"}]
    left_out = {path.relative_to(FIXTURES).as_posix() for path in documents} - set(rows)
    assert all((FIXTURES / path).is_file() for path in rows)
    assert {"clinical/discharge_letter.tif", "office/continuity_of_care.xml"} <= left_out
    for path in documents:
        entry = inventory.entry(str(path.resolve()), "")
        expected = rows.get(path.relative_to(FIXTURES).as_posix())
        assert entry.classification == (expected["classification"] if expected else policy.strictest_class)
        assert entry.consent_scope == (expected["consent_scope"] if expected else policy.no_consent)
    assert {row["classification"] for row in rows.values()} == {"public", "non-human", "de-identified", "PHI"}


def test_each_hostile_document_ends_in_its_stated_way(tmp_path):
    outcomes = json.loads((FIXTURES / "truth" / "outcomes.json").read_text(encoding="utf-8"))
    hostile = FIXTURES / "hostile"
    assert set(outcomes) == {path.name for path in hostile.iterdir()}
    config = load_config(overrides={"extractors": [{"name": "measurement"}]})
    policy = load_policy(folder("configs") / "policy.yaml")
    lake = Lake(str(tmp_path / "lake"), config.lake)

    run(find_sources([str(hostile)]), lake, config=config, inventory=load_inventory(policy), workers=1)

    rows = lake.read("documents").to_pylist()
    ended = {row["doc_id"]: (row["status"], row["status_code"]) for row in rows}
    expected = {
        hashlib.sha256((hostile / name).read_bytes()).hexdigest(): (outcome["status"], outcome["code"])
        for name, outcome in outcomes.items()
    }
    assert ended == expected
