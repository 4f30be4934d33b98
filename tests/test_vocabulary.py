from __future__ import annotations

import gzip
import json
import time

import pytest

from extractor import resources, vocabulary_sources
from extractor.errors import ConfigError, MissingToolError
from extractor.vocabulary import TERMS_FILE, Concept, build_pack, fold, load_pack, singular

CONCEPTS = (
    Concept(
        system="X",
        code="2",
        display="Kidney Failure, Chronic",
        forms=("^ckf", "chronic kidney failure", "failure"),
    ),
    Concept(system="X", code="1", display="Failure", forms=("failure", "!fail"), flags="a"),
    Concept(system="X", code="3", display="Nothing left", forms=("failure",)),
)


@pytest.fixture
def pack(tmp_path, monkeypatch):
    monkeypatch.setenv("EXTRACTOR_MODELS", str(tmp_path))
    resources.model_folder.cache_clear()
    resources.model_sha256.cache_clear()
    yield build_pack(
        CONCEPTS, folder=tmp_path / "made" / "1.0", name="made", version="1.0", licence="CC0", source="here"
    )
    resources.model_folder.cache_clear()
    resources.model_sha256.cache_clear()


def test_a_pack_loads_what_was_built(pack):
    loaded = load_pack("made")
    assert (loaded.name, loaded.version, len(loaded.sha256)) == ("made", "1.0", 64)
    assert loaded.codes == (("X", "1", "Failure"), ("X", "2", "Kidney Failure, Chronic"))
    assert loaded.forms == {"failure": 0, "chronic kidney failure": 1}
    assert loaded.capitals == {"fail": 0, "ckf": 1}
    assert loaded.trusted == {"fail"}
    assert loaded.measured == {0}
    assert loaded.longest == {"failure": 1, "fail": 1, "chronic": 3, "ckf": 1}
    assert loaded.code(1).vocabulary_version == "made/1.0"


def test_a_form_stays_with_the_concept_it_names(pack):
    loaded = load_pack("made")
    assert loaded.codes[loaded.forms["failure"]][1] == "1"


def test_equal_input_gives_equal_bytes(pack, tmp_path):
    again = build_pack(
        CONCEPTS, folder=tmp_path / "b", name="made", version="1.0", licence="CC0", source="here"
    )
    for file in (TERMS_FILE, "manifest.json"):
        assert (again / file).read_bytes() == (pack / file).read_bytes()


def test_an_altered_pack_is_refused(pack):
    (pack / TERMS_FILE).write_bytes(gzip.compress(b"X\t1\tFailure\t\tother"))
    with pytest.raises(MissingToolError, match="altered"):
        load_pack("made")


def test_a_pack_that_is_no_vocabulary_is_refused(pack):
    import hashlib

    (pack / TERMS_FILE).write_bytes(b"not gzip")
    described = json.loads((pack / "manifest.json").read_text())
    described["files"][TERMS_FILE] = hashlib.sha256(b"not gzip").hexdigest()
    (pack / "manifest.json").write_text(json.dumps(described))
    with pytest.raises(MissingToolError, match="not a vocabulary"):
        load_pack("made")


def test_a_missing_pack_is_named(pack):
    with pytest.raises(MissingToolError, match="not installed"):
        load_pack("absent")


@pytest.mark.parametrize(
    ("term", "form"),
    [
        ("Parkinson's Disease", "parkinson disease"),
        ("beta-Blocker", "beta blocker"),
        ("\u03b1-Tocopherol", "alpha tocopherol"),
        ("Sj\u00f6gren Syndrome", "sjogren syndrome"),
        ("Haemorrhage", "hemorrhage"),
        ("vitamin B12", "vitamin b12"),
        ("1,25-dihydroxy", "1,25 dihydroxy"),
        ("-", ""),
    ],
)
def test_folding_makes_spellings_comparable(term, form):
    assert fold(term) == form
    assert fold(form) == form


@pytest.mark.parametrize(
    ("plural", "single"),
    [
        ("attacks", "attack"),
        ("biopsies", "biopsy"),
        ("abscesses", "abscess"),
        ("pancreatitis", "pancreatitis"),
        ("gas", "gas"),
    ],
)
def test_plurals_lose_their_ending(plural, single):
    assert singular(plural) == single


@pytest.mark.parametrize("name", ["vocabulary-drugs", "vocabulary-diseases"])
def test_the_shipped_packs_are_whole_small_and_quick(name):
    folder = resources.model_folder(name)
    started = time.process_time()
    loaded = load_pack(name)
    assert time.process_time() - started < 1.0
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1_000_000
    assert len(loaded.codes) > 10_000
    assert {"card.md", TERMS_FILE} <= resources.manifest(folder)["files"].keys()
    assert all(fold(form) == form for form in loaded.forms)


def write_sources(folder):
    def put(path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode(), mtime=0))

    put(folder / "mesh" / "descriptors.tsv.gz", "mesh_id\tmesh_name\nD1\tAbdomen, Acute\nD9\tRickets\n")
    put(
        folder / "mesh" / "disease_synonyms.tsv.gz",
        "mesh_id\tname\tsynonym\ttree_numbers\n"
        "MESH:D9\tAbdomen, Acute\tacute abdomens\tC23.1\n"
        "MESH:D8\tPerception\tperceptions\tF02.1\n",
    )
    put(folder / "doid" / "HumanDO.tsv.gz", 'id\tlabel\tsubClassOf\n"DOID:7"\t"odd fever"\t"x"\n')
    put(folder / "doid" / "MESHinDO.tsv.gz", "id\tlabel\txrefs\n")
    put(folder / "doid" / "DO_x.obo.gz", 'id: DOID:7\nsynonym: "OFV" EXACT []\nsynonym: "kin" RELATED []\n')
    put(
        folder / "drugs" / "drugs.tsv.gz",
        "key\tname\tdrugbank_id\tmesh_id\tmesh_tree\tmedlineplus_id\nwarfarin\tWarfarin\tDB1\t\t\t\n",
    )
    put(
        folder / "drugs" / "drug_names.tsv.gz",
        "variant\tkey\tis_brand\ncoumadin\twarfarin\t\nwikiname\twarfarin\t\n&lt;ref\twarfarin\t\n",
    )


def test_packs_are_built_from_public_tables(tmp_path, monkeypatch):
    source, out = tmp_path / "source", tmp_path / "vocabulary-diseases" / "1.0"
    write_sources(source)
    out.mkdir(parents=True)
    (out / "about.txt").write_text("licence: CC0\nsource: test\n")
    (out / "extra.tsv").write_text("Abdomen, Acute\tsurgical abdomen\n")
    vocabulary_sources.build_diseases(source, out)
    lines = gzip.decompress((out / TERMS_FILE).read_bytes()).decode().split("\n")
    assert lines == [
        "DOID\t7\todd fever\t\t^ofv|odd fever",
        "MESH\tD1\tAbdomen, Acute\t\tacute abdomen|acute abdomens|surgical abdomen",
    ]
    assert "extra.tsv" in json.loads((out / "manifest.json").read_text())["files"]


def test_left_out_and_marked_up_names_stay_out(tmp_path):
    source, out = tmp_path / "source", tmp_path / "vocabulary-drugs" / "1.0"
    write_sources(source)
    out.mkdir(parents=True)
    (out / "about.txt").write_text("licence: CC0\nsource: test\n")
    (out / "left_out.txt").write_text("# why\nwikiname\n")
    vocabulary_sources.build_drugs(source, out)
    assert (
        gzip.decompress((out / TERMS_FILE).read_bytes()).decode()
        == "DRUGBANK\tDB1\tWarfarin\t\tcoumadin|warfarin"
    )


def test_extra_terms_of_unknown_concepts_are_an_error(tmp_path):
    source, out = tmp_path / "source", tmp_path / "vocabulary-drugs" / "1.0"
    write_sources(source)
    out.mkdir(parents=True)
    (out / "extra.tsv").write_text("Unheard\tname\n")
    with pytest.raises(ConfigError, match="unheard"):
        vocabulary_sources.build_drugs(source, out)
