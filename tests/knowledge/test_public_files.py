"""Public vocabularies are read into terms with their groups, synonyms and cross references."""

import pytest

from extractor.errors import ConfigError
from extractor.knowledge.public_files import ctcae, doid, drugs, hpo, icd10cm, mesh
from extractor.knowledge.terms import groups_of_trees
from tests.knowledge import made
from tests.knowledge.made import gzipped
from tests.knowledge.releases import write


def test_mesh_gives_names_synonyms_trees_and_groups(tmp_path):
    found = {term.code: term for term in mesh(made.sources(tmp_path) / "mesh")}

    assert found["D900010"].synonyms == ("blue fever",)
    assert found["D900010"].trees == ("C01.100",)
    assert found["D900001"].groups == ("chemical",)
    assert found["D900020"].groups == ("anatomy",)


@pytest.mark.parametrize(
    ("trees", "groups"),
    [
        (("C01.1",), ("disorder",)),
        (("C23.888.1",), ("disorder", "finding")),
        (("F03.1",), ("disorder",)),
        (("F01.1",), ("finding",)),
        (("B01.1", "D20.1"), ("chemical", "organism")),
        (("E01.370.225.1",), ("procedure", "laboratory")),
        (("Z01.1",), ("other",)),
        ((), ("other",)),
    ],
)
def test_tree_numbers_tell_the_groups(trees, groups):
    assert groups_of_trees(trees) == groups


def test_the_disease_ontology_gives_cross_references_and_exact_synonyms(tmp_path):
    found = {term.code: term for term in doid(made.sources(tmp_path) / "doid")}

    assert found["1"].same == (("MESH", "D900010"), ("OMIM", "900100"))
    assert found["2"].synonyms == ("seven glimmer",)
    assert found["2"].same == (("OMIM", "900200"), ("SNOMEDCT", "9"))


def test_hpo_gives_every_kind_of_synonym_and_leaves_obsolete_terms_out(tmp_path):
    gzipped(
        tmp_path / "hp.obo.gz",
        ["format-version: 1.2", "", "[Term]", "id: HP:1", "name: Blue nose", 'synonym: "Azure nose" RELATED []',
         "xref: MSH:D900010", "xref: UMLS:C9000001", "", "[Term]", "id: HP:2", "name: old", "is_obsolete: true",
         "", "[Typedef]", "id: part_of", "name: part of"],
    )  # fmt: skip

    (found,) = hpo(tmp_path / "hp.obo.gz")

    assert (found.system, found.code, found.synonyms) == ("HP", "1", ("Azure nose",))
    assert found.same == (("MESH", "D900010"), ("UMLS", "C9000001"))


def test_icd_10_cm_leaves_circumstances_and_long_entries_out(tmp_path):
    gzipped(
        tmp_path / "icd.tsv.gz",
        ["code\tdescription\tleaf\tinclusion_terms", "A99\tAzure fever, unspecified\t1\tBlue fever NOS",
         "R99\tQuill rash\t1\t", "V99\tBitten by a quill\t1\t", "S99\tWound of elbow, initial encounter\t1\t",
         "B99\tOne two three four five six seven eight nine ten\t1\t"],
    )  # fmt: skip

    found = {term.code: term for term in icd10cm(tmp_path / "icd.tsv.gz")}

    assert set(found) == {"A99", "R99"}
    assert set(found["A99"].synonyms) == {"Azure fever", "Blue fever"}
    assert found["R99"].groups == ("disorder", "finding")


def test_drugs_give_brand_names_to_their_substance(tmp_path):
    found = {term.code: term for term in drugs(made.sources(tmp_path) / "drugs")}

    assert found["DB90001"].synonyms == ("quillex",)
    assert found["DB90001"].same == (("MESH", "D900001"),)


def test_ctcae_terms_that_name_nothing_are_left_out(tmp_path):
    path = write(
        tmp_path / "ctcae.tsv", ["meddra_llt\tsoc\tterm", "1\ts\tAzure fever", "2\ts\tBlood - Other, specify"]
    )

    assert [(term.system, term.code, term.name) for term in ctcae(path)] == [("CTCAE", "1", "Azure fever")]


def test_a_file_that_is_not_there_is_said(tmp_path):
    for read in (ctcae, icd10cm, hpo):
        with pytest.raises(ConfigError, match="cannot be opened"):
            list(read(tmp_path / "absent.tsv.gz"))
