"""What comes out of each shipped document, kept in tests/golden/: any change of it is looked at by eye.

``pytest tests/test_golden.py --regold`` writes the files anew. What is still
wrong in them stands in tests/golden/README.md. Scans are compared with a
tolerance, because Tesseract takes other arithmetic paths on other processors;
digital documents must come out to the letter.
"""

import hashlib
import json
from difflib import SequenceMatcher
from pathlib import Path

import pytest

from extractor.config import load_config
from extractor.governance.inventory import Entry
from extractor.lake.store import Lake
from extractor.lineage import Pipeline
from extractor.pipeline import Engine, Job
from extractor.schema import plain
from extractor.tables.page_text import document_from_rows

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "fixtures"
GOLDEN = ROOT / "tests" / "golden"
SCANS = {"batch_record/executed_batch_record_scan.pdf", "clinical/discharge_letter.tif"}
DOCUMENTS = sorted(
    path.relative_to(FIXTURES).as_posix()
    for folder in ("batch_record", "clinical", "regulatory", "office")
    for path in (FIXTURES / folder).iterdir()
)
SAME_WORDS = 0.99
SAME_ENTITIES = 0.95


@pytest.fixture(scope="module")
def engine():
    made = Engine(load_config())
    made.warm()
    return made


def of_engine(engine, content):
    """The document and its attachments, condensed."""
    outcome = engine.process(
        Job(
            doc_id=hashlib.sha256(content).hexdigest(),
            content=content,
            entry=Entry(classification="non-human", consent_scope="unrestricted"),
            pipeline=Pipeline(code_version="0", config_sha256="0"),
        ),
    )
    assert outcome.status == "extracted", outcome.code
    assert outcome.rejections == ()
    found = condensed(*(outcome.tables[name].to_pylist() for name in ("page_text", "entities")))
    if outcome.attachments:
        found["attachments"] = [of_engine(engine, one.content) for one in outcome.attachments]
    return found


def of_lake(folder, content):
    """The document as the lake has it."""
    doc_id = hashlib.sha256(content).hexdigest()
    lake = Lake(str(folder), load_config().lake)
    return condensed(
        *(lake.read(name, doc_ids=[doc_id]).to_pylist() for name in ("page_text", "entities")),
    )


def condensed(page_rows, entity_rows):
    document = document_from_rows(page_rows)
    return {
        "media_type": document.media_type,
        "pages": [
            {
                "page_no": page.page_no,
                "quality": page.quality,
                "turned": page.rotation_deg,
                "text": page.text.split("\n"),
                "tables": [
                    {
                        "size": [table.row_count, table.column_count],
                        "header_rows": table.header_row_count,
                        "continues": table.continues,
                        "grid": [" | ".join(row) for row in table.grid(page)],
                    }
                    for table in page.tables
                ],
            }
            for page in document.pages
        ],
        "entities": [said(row) for row in sorted(entity_rows, key=lambda row: (row["char_start"], row["char_end"], row["type"]))],
    }  # fmt: skip


def said(row):
    """``p1 dose: 40 mg = 40 mg``: page, type, words, code, quantity."""
    parts = [f"p{row['page_no']} {row['type']}: {row['source_text']}"]
    if row["code"]:
        parts.append(f"{row['code_system']} {row['code']} ({row['code_display']})")
    if row["parse_status"] is not None:
        number = row["value_text"] if row["value"] is None else plain(row["value"])
        high = "" if row["value_high"] is None else f"..{plain(row['value_high'])}"
        unit = row["unit_ucum"] or ""
        parts.append(
            f"{row['comparator'] or ''}{number}{high} {unit} {row['parse_status']}".replace("  ", " ")
        )
    elif row["normalised"] and row["normalised"] != row["source_text"]:
        parts.append(row["normalised"])
    if row["negated"]:
        parts.append("negated")
    return " = ".join(parts)


def golden_of(name):
    return GOLDEN / f"{Path(name).stem}.json"


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name not in SCANS])
def test_a_digital_document_comes_out_as_before(name, engine, request):
    found = of_engine(engine, (FIXTURES / name).read_bytes())

    if request.config.getoption("regold"):
        write(name, found)
    assert found == json.loads(golden_of(name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(SCANS))
def test_a_scan_comes_out_as_before_but_for_noise(name, demo, request):
    found = of_lake(demo.lake, (FIXTURES / name).read_bytes())

    if request.config.getoption("regold"):
        write(name, found)
    expected = json.loads(golden_of(name).read_text(encoding="utf-8"))
    assert len(found["pages"]) == len(expected["pages"])
    for page, before in zip(found["pages"], expected["pages"], strict=True):
        assert [page[key] for key in ("page_no", "quality", "turned")] == [
            before[key] for key in ("page_no", "quality", "turned")
        ]
        assert alike(words(page["text"]), words(before["text"])) >= SAME_WORDS
        assert [table["size"] for table in page["tables"]] == [table["size"] for table in before["tables"]]
        for table, table_before in zip(page["tables"], before["tables"], strict=True):
            assert alike(words(table["grid"]), words(table_before["grid"])) >= SAME_WORDS
    assert alike(found["entities"], expected["entities"]) >= SAME_ENTITIES


def alike(found, expected):
    return SequenceMatcher(None, found, expected, autojunk=False).ratio()


def words(lines):
    return " ".join(lines).split()


def write(name, found):
    GOLDEN.mkdir(exist_ok=True)
    golden_of(name).write_text(
        json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )  # fmt: skip


def test_every_golden_file_belongs_to_a_document():
    assert {path.name for path in GOLDEN.glob("*.json")} == {golden_of(name).name for name in DOCUMENTS}


def test_regold_is_refused_where_ci_is_set(pytestconfig, monkeypatch):
    from tests.conftest import pytest_configure

    class Asked:
        def getoption(self, name):
            return name == "regold"

    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.UsageError):
        pytest_configure(Asked())
