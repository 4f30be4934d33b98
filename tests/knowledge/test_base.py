"""A pack is read back as it was written; names are found exactly and nearly."""

import shutil

import pytest
from hypothesis import given, settings, strategies as st

from extractor.errors import ConfigError, MissingToolError
from extractor.knowledge.base import KnowledgeBase
from extractor.knowledge.build import read_recipe
from extractor.knowledge.terms import name_key
from extractor.resources import manifest
from tests.knowledge import made


def test_an_exact_name_gives_its_concept_with_all_its_codes(base):
    ((row, _),) = [found for found in base.named("azure fever") if found[1] == 0]

    assert base.concept(row).codes == ("MESH:D900010", "DOID:1", "OMIM:900100")
    assert base.code(row).vocabulary_version == "knowledge-made/1.0.0"
    assert base.code(row, ("OMIM",)).code == "900100"


def test_every_name_of_the_pack_is_found_again(base):
    for row in range(len(base.names)):
        assert base.names.find(base.names.line(row)) == row
        assert base.near(base.names.line(row), 1)[0].cosine == pytest.approx(1.0, abs=1e-5)


def test_every_code_leads_to_its_concept(base):
    for concept in base.concepts():
        assert {base.with_code(code) for code in concept.codes} == {concept.row}
    assert base.with_code("MESH:D000000") is None


def test_near_names_come_by_falling_cosine(base):
    found = base.near(name_key("zorbazolle"))

    assert found[0].key == "zorbazole"
    assert [near.cosine for near in found] == sorted((near.cosine for near in found), reverse=True)


@settings(max_examples=60)
@given(st.text(max_size=60))
def test_any_text_can_be_looked_up(base, text):
    assert base.names.find(text) is None or base.names.line(base.names.find(text)) == text
    assert all(0.0 < near.cosine <= 1.0 for near in base.near(name_key(text)))


def test_equal_input_gives_equal_bytes(pack, tmp_path):
    again = made.pack(tmp_path)

    assert sorted(path.name for path in again.iterdir()) == sorted(path.name for path in pack.iterdir())
    for path in pack.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes()


def test_the_manifest_counts_and_pins_every_file(pack, base):
    described = manifest(pack)

    assert described["concepts"] == len(base)
    assert described["names"] == len(base.names)
    assert set(described["files"]) == {path.name for path in pack.iterdir()} - {"manifest.json"}


def test_a_damaged_pack_is_refused(pack, tmp_path):
    shutil.copytree(pack, tmp_path / "copy")
    (tmp_path / "copy" / "links.bin.gz").write_bytes(b"\x1f\x8b nothing")

    with pytest.raises(MissingToolError, match="not a knowledge pack"):
        KnowledgeBase(tmp_path / "copy")


def test_obsolete_terms_and_inexact_synonyms_stay_out(base):
    assert base.named("seven glimmer")
    assert not base.named("shimmer")
    assert not base.named("gone")


def test_a_recipe_with_an_unknown_key_or_kind_is_refused_by_name(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("name: x\nlicence: y\nsource: z\nsources: [{kind: mash, path: a}]\n")
    with pytest.raises(ConfigError, match=r"sources\.0\.kind"):
        read_recipe(path)
    path.write_text("name: x\nlicence: y\nsource: z\nsources: []\ncolour: red\n")
    with pytest.raises(ConfigError, match="colour"):
        read_recipe(path)
