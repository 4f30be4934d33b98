"""Licensed releases are read in their publishers' layouts; a line that does not fit is named."""

import pytest

from extractor.errors import ConfigError
from extractor.knowledge.release_files import loinc, meddra, rxnorm, snomedct, umls
from tests.knowledge import releases
from tests.knowledge.releases import write


def test_rxnorm_gives_one_concept_per_rxcui_without_suppressed_or_foreign_names(tmp_path):
    found = list(rxnorm(write(tmp_path / "RXNCONSO.RRF", releases.RXNORM)))

    assert [(term.code, term.name) for term in found] == [("901", "zorbazole"), ("902", "Quillex")]
    assert "zorbazol" in found[0].synonyms
    assert "zorbazolo" not in found[0].synonyms
    assert found[0].same == (("MESH", "D900001"),)
    assert found[0].groups == ("chemical",)


def test_umls_takes_the_preferred_name_and_the_groups_of_the_semantic_types(tmp_path):
    write(tmp_path / "MRCONSO.RRF", releases.MRCONSO)
    write(tmp_path / "MRSTY.RRF", releases.MRSTY)

    found = {term.code: term for term in umls(tmp_path)}

    assert found["C9000001"].name == "Azure fever"
    assert found["C9000001"].synonyms == ("Blue Fever",)
    assert found["C9000001"].groups == ("disorder",)
    assert found["C9000001"].same == (("MESH", "D900010"), ("SNOMEDCT", "900100"))
    assert found["C9000002"].groups == ("chemical",)
    assert "C9000003" not in found


def test_umls_files_out_of_order_are_refused(tmp_path):
    write(tmp_path / "MRCONSO.RRF", releases.MRCONSO[::-1])
    write(tmp_path / "MRSTY.RRF", releases.MRSTY)

    with pytest.raises(ConfigError, match=r"MRCONSO\.RRF is not sorted"):
        list(umls(tmp_path))


def test_snomed_ct_names_a_concept_by_its_fully_specified_name_without_the_tag(tmp_path):
    write(tmp_path / "Terminology" / "sct2_Concept_Snapshot_INT_20240101.txt", releases.CONCEPTS, "\r\n")
    write(
        tmp_path / "Terminology" / "sct2_Description_Snapshot-en_INT_20240101.txt",
        releases.DESCRIPTIONS,
        "\r\n",
    )

    found = list(snomedct(tmp_path))

    assert {(term.code, term.name, term.groups) for term in found} == {
        ("900100", "Azure fever", ("disorder",))
    }
    assert {name for term in found for name in term.synonyms} == {"Blue fever"}


def test_meddra_gives_preferred_terms_and_current_lowest_level_terms_as_their_names(tmp_path):
    write(tmp_path / "pt.asc", releases.PT)
    write(tmp_path / "llt.asc", releases.LLT)

    found = list(meddra(tmp_path))

    assert {term.code for term in found} == {"90000001", "90000002"}
    assert {name for term in found for name in term.synonyms} == {"Blue fever"}


def test_loinc_gives_active_codes_with_their_names(tmp_path):
    found = list(loinc(write(tmp_path / "Loinc.csv", releases.LOINC)))

    assert [(term.code, term.name) for term in found] == [("90001-1", "Zorbazole [Mass/volume] in Serum")]
    assert found[0].groups == ("laboratory",)
    assert "Zorbazole, serum" in found[0].synonyms


@pytest.mark.parametrize(
    ("read", "path", "lines", "said"),
    [
        (rxnorm, "RXNCONSO.RRF", [releases.RXNORM[0], "901|ENG|P|"], r"RXNCONSO\.RRF: line 2 "),
        (loinc, "Loinc.csv", [*releases.LOINC, '"90003-7","short"'], r"Loinc\.csv: line 4 "),
        (loinc, "Loinc.csv", ['"LOINC_NUM","STATUS"'], r"Loinc\.csv: line 1 lacks"),
    ],
)
def test_a_bad_line_is_refused_with_its_kind_of_file_and_number(tmp_path, read, path, lines, said):
    with pytest.raises(ConfigError, match=said):
        list(read(write(tmp_path / path, lines)))


def test_a_bad_line_of_a_folder_of_files_is_refused_with_its_number(tmp_path):
    write(tmp_path / "m" / "pt.asc", releases.PT)
    write(tmp_path / "m" / "llt.asc", [*releases.LLT, "9$x"])
    with pytest.raises(ConfigError, match=r"llt\.asc: line 4 "):
        list(meddra(tmp_path / "m"))

    write(tmp_path / "s" / "sct2_Concept_Snapshot_X.txt", [*releases.CONCEPTS, "900300\t2024"])
    write(tmp_path / "s" / "sct2_Description_Snapshot-en_X.txt", releases.DESCRIPTIONS)
    with pytest.raises(ConfigError, match="RF2 concept snapshot: line 4 "):
        list(snomedct(tmp_path / "s"))

    write(tmp_path / "u" / "MRCONSO.RRF", releases.MRCONSO)
    write(tmp_path / "u" / "MRSTY.RRF", [releases.MRSTY[0], "C9000002|T121|"])
    with pytest.raises(ConfigError, match=r"MRSTY\.RRF: line 2 "):
        list(umls(tmp_path / "u"))


def test_bytes_that_are_not_utf_8_are_refused_with_their_line(tmp_path):
    (tmp_path / "RXNCONSO.RRF").write_bytes(releases.RXNORM[0].encode() + b"\n901|ENG|\xff\xfe|\n")

    with pytest.raises(ConfigError, match="line 2 is not UTF-8"):
        list(rxnorm(tmp_path / "RXNCONSO.RRF"))


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigError, match="cannot be opened"):
        list(rxnorm(tmp_path / "RXNCONSO.RRF"))
    with pytest.raises(ConfigError, match="0 files"):
        list(snomedct(tmp_path))
