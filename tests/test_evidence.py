"""From a row back to the page: what the chain says, who may see it, and what the evidence image shows."""

import hashlib
import io
import json
import re
from email.message import EmailMessage

import numpy as np
import pymupdf
import pytest
from PIL import Image
from rich.console import Console

from extractor.config import load_config
from extractor.document import Document, Page, Word
from extractor.errors import AccessDeniedError, ConfigError, InputError, LakeError, UnsupportedError
from extractor.evidence import render, show
from extractor.evidence_chain import evidence_chain
from extractor.evidence_image import evidence_image
from extractor.governance.policy import Policy
from extractor.lake.commit import Batch, append_run, commit
from extractor.lake.store import Lake
from extractor.lineage import digest
from extractor.records import Entity, Maker
from extractor.registry import PDF
from extractor.spans import BBox, Span
from extractor.tables.catalogue import TABLES
from extractor.tables.entities import entity_rows
from extractor.tables.governed import Inheritance
from extractor.tables.operations import source_ref
from extractor.tables.page_text import page_text_rows
from tests.lake.factory import WHEN, run_row, settings

MAKER = Maker(extractor="dictionary", version="1.0", model="drugs", model_version="7", model_sha256="f" * 64)
PIPELINE = "1.0+aaaaaaaaaaaa"
LINES = ("give aspirin now", "call jane@example.org", "far below stands nothing of this")
NO_ROW = "0" * 64

POLICY = Policy.model_validate(
    {
        "classes": ["public", "non-human", "de-identified", "PHI"],
        "consent_scopes": ["none", "research_only", "unrestricted"],
        "roles": {
            "steward": {
                "description": "all", "classes": ["public", "non-human", "de-identified", "PHI"],
                "minimum_consent": "none", "tables": ["*"], "restricted": True,
            },
            "clinician": {
                "description": "rows and pictures", "classes": ["public", "non-human", "de-identified", "PHI"],
                "minimum_consent": "none", "tables": ["documents", "entities"], "evidence_images": True,
            },
            "analyst": {
                "description": "rows with consent", "classes": ["public", "de-identified"],
                "minimum_consent": "research_only", "tables": ["entities"],
            },
            "inventory": {
                "description": "documents only", "classes": ["PHI"], "minimum_consent": "none",
                "tables": ["documents"],
            },
        },
        "principals": {name: [name] for name in ("steward", "clinician", "analyst", "inventory")},
    }
)  # fmt: skip


def access(principal):
    return POLICY.access(principal)


@pytest.fixture(scope="module")
def config():
    return load_config()


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path / "lake"), settings())


def made_pdf(*lines, rotation=0):
    with pymupdf.open() as made:
        page = made.new_page(width=400, height=600)
        for number, line in enumerate(lines):
            page.insert_text((60, (80, 105, 400)[number]), line, fontsize=12)
        page.set_rotation(rotation)
        return made.tobytes()


def document_of(content):
    with pymupdf.open(stream=content, filetype="pdf") as made:
        pages = []
        for number, page in enumerate(made, start=1):
            found = page.get_text("words")
            boxes = [pymupdf.Rect(word[:4]) * page.rotation_matrix for word in found]
            words = tuple(
                Word(text=word[4], before=" " if index else "", box=BBox(*box))
                for index, (word, box) in enumerate(zip(found, boxes, strict=True))
            )
            pages.append(
                Page(
                    page_no=number,
                    width_pt=page.rect.width,
                    height_pt=page.rect.height,
                    words=words,
                    source="text-layer",
                    rotation_deg=page.rotation,
                )
            )
    doc_id = hashlib.sha256(content).hexdigest()
    return Document.assemble(doc_id=doc_id, media_type=PDF, pages=pages)


def note_of(text):
    words = tuple(Word(text=word, before=" " if index else "") for index, word in enumerate(text.split()))
    doc_id = hashlib.sha256(text.encode()).hexdigest()
    return Document.assemble(doc_id=doc_id, media_type="text/plain", pages=[Page(page_no=1, words=words)])


def entity(document, quote, label):
    start = document.text.index(quote)
    return Entity(
        doc_id=document.doc_id, span=Span(start, start + len(quote)), label=label, maker=MAKER, score=0.5
    )


def put(
    lake, document, *, uri, attachment_no="", run_id="run-1", classification="PHI", consent="unrestricted"
):
    """Commit a document with its aspirin and, if it has one, its address; row ids by type."""
    extraction_id = digest(document.doc_id, PIPELINE)
    tags = {
        "study_id": "S-1", "subject_id": "SUBJ-1", "classification": classification, "consent_scope": consent,
    }  # fmt: skip
    inheritance = Inheritance(
        doc_id=document.doc_id, extraction_id=extraction_id, run_id=run_id, pipeline_version=PIPELINE, **tags
    )
    wanted = (("aspirin", "drug"), ("jane@example.org", "email"))
    found = [entity(document, quote, label) for quote, label in wanted if quote in document.text]
    rows = {
        "page_text": page_text_rows(document, inheritance),
        "entities": entity_rows(document, found, inheritance),
        "sources": [
            {
                "source_ref": source_ref(document.doc_id), "doc_id": document.doc_id, "uri": str(uri),
                "attachment_no": attachment_no, "run_id": run_id,
            }
        ],
        "documents": [
            {
                **inheritance.columns(), "source_ref": source_ref(document.doc_id),
                "media_type": document.media_type, "byte_count": 1, "page_count": len(document.pages),
                "governance_source": "manifest", "status": "extracted", "pages_ok": len(document.pages),
                "pages_failed": 0, "failed_pages": [], "pages_poor": 0, "attachment_count": 0,
                "extracted_at": WHEN,
            }
        ],
    }  # fmt: skip
    tables = {}
    for name, offered in rows.items():
        tables[name], bad = TABLES[name].split(TABLES[name].to_arrow(offered))
        assert not bad
    committed = commit(
        lake, Batch(run_id=run_id, extractions={document.doc_id: extraction_id}, tables=tables)
    )
    return {row["type"]: row["row_id"] for row in rows["entities"]}, committed


@pytest.fixture
def scanned(lake, tmp_path):
    """A committed PDF: its row ids, the commits of its batch, and its file."""
    content = made_pdf(*LINES)
    file = tmp_path / "Jane Doe.pdf"
    file.write_bytes(content)
    row_ids, committed = put(lake, document_of(content), uri=file)
    append_run(lake, run_row("run-1"))
    return row_ids, committed, file


# -- the chain ----------------------------------------------------------------


def test_a_chain_leads_from_the_value_to_the_delta_version(lake, scanned):
    row_ids, committed, file = scanned

    chain = evidence_chain(lake, access("steward"), row_ids["drug"])

    assert (chain.table, chain.values["type"], chain.values["text"]) == ("entities", "drug", "aspirin")
    assert (chain.source_text, chain.page_no, len(chain.boxes)) == ("aspirin", 1, 1)
    assert chain.document.doc_id == hashlib.sha256(file.read_bytes()).hexdigest()
    assert chain.document.source_ref == source_ref(chain.document.doc_id)
    assert (chain.extractor, chain.model, chain.model_sha256) == ("dictionary@1.0", "drugs", "f" * 64)
    assert (chain.pipeline_version, chain.classification) == (PIPELINE, "PHI")
    assert (chain.run.run_id, chain.run.started_at, chain.run.config_sha256) == ("run-1", WHEN, "0" * 64)
    (written,) = [one for one in committed.commits if one.table == "entities"]
    assert [one.version for one in chain.commits] == [written.version]
    assert chain.commits[0].batch_id == committed.batch_id


def test_the_version_that_the_chain_names_holds_the_row(lake, scanned):
    row_ids, _, _ = scanned
    chain = evidence_chain(lake, access("steward"), row_ids["drug"])

    rows = lake.read("entities", columns=["row_id"], version=chain.commits[0].version)

    assert row_ids["drug"] in rows["row_id"].to_pylist()


def test_the_chain_is_json_and_tells_no_address(lake, scanned):
    row_ids, _, _ = scanned

    text = json.dumps(evidence_chain(lake, access("steward"), row_ids["drug"]).as_dict())

    assert json.loads(text)["evidence"]["source_text"] == "aspirin"
    assert "Jane Doe" not in text


def test_the_text_around_the_row_is_for_restricted_roles_only(lake, scanned):
    row_ids, _, _ = scanned

    seen = evidence_chain(lake, access("steward"), row_ids["drug"]).context
    hidden = evidence_chain(lake, access("clinician"), row_ids["drug"]).context

    assert (seen.before, seen.quote) == ("give ", "aspirin")
    assert seen.after.startswith(" now call")
    assert hidden is None


def test_a_masked_row_stays_masked_for_who_sees_no_restricted_text(lake, scanned):
    row_ids, _, _ = scanned

    text = json.dumps(evidence_chain(lake, access("clinician"), row_ids["email"]).as_dict())

    assert "[email]" in text
    assert "jane" not in text


def refusal(lake, principal, row_id):
    with pytest.raises(AccessDeniedError) as refused:
        evidence_chain(lake, access(principal), row_id)
    return refused.value.code, str(refused.value)


def test_a_row_that_may_not_be_seen_and_one_that_does_not_exist_are_refused_alike(lake, scanned):
    row_ids, _, _ = scanned

    answers = {
        refusal(lake, "analyst", row_ids["drug"]),  # the class is not granted
        refusal(lake, "inventory", row_ids["drug"]),  # the table is not granted
        refusal(lake, "analyst", NO_ROW),
        refusal(lake, "steward", NO_ROW),
        refusal(lake, "steward", "no row id' or '1'='1"),
    }

    assert len(answers) == 1


def test_consent_decides_too(lake, tmp_path):
    granted, _ = put(
        lake,
        document_of(made_pdf("aspirin A")),
        uri="/a",
        classification="de-identified",
        consent="unrestricted",
    )
    withheld, _ = put(
        lake, document_of(made_pdf("aspirin B")), uri="/b", classification="de-identified", consent="none"
    )

    assert evidence_chain(lake, access("analyst"), granted["drug"]).consent_scope == "unrestricted"
    assert refusal(lake, "analyst", withheld["drug"]) == refusal(lake, "analyst", NO_ROW)


def test_a_row_of_an_unfinished_batch_is_not_there(lake, monkeypatch, tmp_path):
    from extractor.lake import work

    def power_cut(self):
        raise KeyboardInterrupt

    document = document_of(made_pdf(*LINES))
    with monkeypatch.context() as patched:
        patched.setattr(work.Work, "complete", power_cut)
        with pytest.raises(KeyboardInterrupt):
            put(lake, document, uri="/a")
    stored = lake.read("entities", columns=["row_id"])["row_id"].to_pylist()

    assert stored
    assert refusal(lake, "steward", stored[0]) == refusal(lake, "steward", NO_ROW)


def test_where_no_lake_is_the_operator_is_told(lake):
    with pytest.raises(LakeError):
        evidence_chain(lake, access("steward"), NO_ROW)


def test_the_rendering_holds_the_chain_and_obeys_no_control(lake, scanned):
    row_ids, committed, _ = scanned
    stream = io.StringIO()

    render(evidence_chain(lake, access("steward"), row_ids["drug"]), Console(file=stream, width=140))

    shown = stream.getvalue()
    for part in ("aspirin", "page 1", "dictionary@1.0", "f" * 64, PIPELINE, "run-1", committed.batch_id):
        assert part in shown


def test_show_prints_json_and_writes_the_picture(lake, scanned, config, tmp_path, capsys):
    row_ids, _, _ = scanned
    out = tmp_path / "crop.png"

    show(lake, access("clinician"), row_ids["drug"], config=config, crop=out, as_json=True)

    assert json.loads(capsys.readouterr().out)["row_id"] == row_ids["drug"]
    with Image.open(out) as image:
        assert image.format == "PNG"
    with pytest.raises(ConfigError):
        show(lake, access("clinician"), row_ids["drug"], config=config, crop=tmp_path / "no" / "crop.png")


# -- the evidence image -------------------------------------------------------


def crop(lake, principal, row_id, config):
    chain = evidence_chain(lake, access(principal), row_id)
    with Image.open(io.BytesIO(evidence_image(lake, access(principal), chain, config=config))) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def ink(pixels):
    return pixels.max(axis=2) < 60


def painted_over(pixels):
    return (pixels == 70).all(axis=2)


def outlined(pixels):
    return (pixels[:, :, 0] > 170) & (pixels[:, :, 1] < 60)


@pytest.mark.parametrize("rotation", [0, 90])
def test_the_picture_shows_the_outlined_word_and_leaves_the_rest_of_the_page_out(
    lake, config, tmp_path, rotation
):
    content = made_pdf(*LINES, rotation=rotation)
    file = tmp_path / "a.pdf"
    file.write_bytes(content)
    row_ids, _ = put(lake, document_of(content), uri=file)
    page_pixels = (400 / 72 * 200) * (600 / 72 * 200)

    pixels = crop(lake, "steward", row_ids["drug"], config)

    frame = outlined(pixels)
    ys, xs = np.nonzero(frame)
    inside = ink(pixels)[ys.min() : ys.max(), xs.min() : xs.max()]
    assert inside.sum() > 200
    assert pixels.shape[0] * pixels.shape[1] < 0.15 * page_pixels


def test_addresses_nearby_are_painted_over_for_roles_without_restricted_access(lake, scanned, config):
    row_ids, _, _ = scanned

    assert painted_over(crop(lake, "clinician", row_ids["drug"], config)).sum() > 500
    assert painted_over(crop(lake, "steward", row_ids["drug"], config)).sum() < 50


def test_the_picture_of_a_masked_row_is_for_restricted_roles_only(lake, scanned, config):
    row_ids, _, _ = scanned

    assert ink(crop(lake, "steward", row_ids["email"], config)).any()
    with pytest.raises(AccessDeniedError):
        crop(lake, "clinician", row_ids["email"], config)


def test_seeing_a_row_is_not_seeing_its_picture(lake, config, tmp_path):
    content = made_pdf(*LINES)
    file = tmp_path / "a.pdf"
    file.write_bytes(content)
    row_ids, _ = put(lake, document_of(content), uri=file, classification="de-identified")

    assert evidence_chain(lake, access("analyst"), row_ids["drug"])
    with pytest.raises(AccessDeniedError):
        crop(lake, "analyst", row_ids["drug"], config)


def test_a_changed_source_is_an_error_that_names_no_file(lake, scanned, config):
    row_ids, _, file = scanned
    file.write_bytes(made_pdf("something else"))

    with pytest.raises(InputError) as changed:
        crop(lake, "steward", row_ids["drug"], config)

    assert changed.value.code == "input.changed"
    assert not re.search(r"Jane|\.pdf", str(changed.value))


def test_a_source_that_is_gone_is_an_error_that_names_no_file(lake, scanned, config):
    row_ids, _, file = scanned
    file.unlink()

    with pytest.raises(InputError) as gone:
        crop(lake, "steward", row_ids["drug"], config)

    assert gone.value.code == "input.unreadable"
    assert not re.search(r"Jane|\.pdf", str(gone.value))


def test_text_has_no_picture(lake, config, tmp_path):
    document = note_of("took aspirin")
    (tmp_path / "a.txt").write_text("took aspirin")
    row_ids, _ = put(lake, document, uri=tmp_path / "a.txt")

    with pytest.raises(UnsupportedError) as refused:
        crop(lake, "steward", row_ids["drug"], config)

    assert refused.value.code == "input.no_picture"


def mail(*attachments):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.org", "b@example.org", "files"
    message.set_content("see attached")
    for content in attachments:
        if isinstance(content, EmailMessage):
            message.add_attachment(content)
        else:
            message.add_attachment(content, maintype="application", subtype="pdf")
    return message


@pytest.mark.parametrize(
    ("outer", "attachment_no"),
    [
        (lambda content: mail(made_pdf("other"), content), "2"),
        (lambda content: mail(mail(made_pdf("other"), content)), "1/2"),
    ],
)
def test_a_document_inside_others_is_taken_out_again(lake, config, tmp_path, outer, attachment_no):
    content = made_pdf(*LINES)
    file = tmp_path / "mail.eml"
    file.write_bytes(outer(content).as_bytes())
    row_ids, _ = put(lake, document_of(content), uri=file, attachment_no=attachment_no)

    assert outlined(crop(lake, "steward", row_ids["drug"], config)).any()


def test_an_attachment_that_is_not_there_any_more_is_a_changed_source(lake, config, tmp_path):
    file = tmp_path / "mail.eml"
    file.write_bytes(mail(made_pdf("other")).as_bytes())
    row_ids, _ = put(lake, document_of(made_pdf(*LINES)), uri=file, attachment_no="4")

    with pytest.raises(InputError) as changed:
        crop(lake, "steward", row_ids["drug"], config)

    assert changed.value.code == "input.changed"
