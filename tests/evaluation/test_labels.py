"""Label maps: the shipped ones hold, wrong ones are refused with what was meant."""

import pytest

from extractor.errors import ConfigError
from extractor.evaluation.labels import load_label_map, shipped_map_of, shipped_maps

CORPORA = {
    "bc5cdr", "ncbi_disease", "biored", "maccrobat2020", "ade_v2", "jnlpba", "bc2gm", "anatem_iob", "linnaeus_iob",
    "bionlp13cg_iob", "tac_adr2017", "negex_testkit",
}  # fmt: skip


def parsed(tmp_path, text, **options):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return load_label_map(path, **options)


def test_every_corpus_has_its_map():
    assert set(shipped_maps()) >= CORPORA
    for name in CORPORA:
        assert load_label_map(name).name == name


def test_several_of_ours_may_count_as_one_type_and_several_gold_types_may_be_merged():
    found = load_label_map("ncbi_disease")

    assert found.types == ["Disease"]
    assert set(found.gold) == {"SpecificDisease", "Modifier", "DiseaseClass", "CompositeMention"}
    assert set(found.ours) == {"disease", "adverse_effect", "sign_symptom"}
    assert found.given == {"Disease": "disease"}


def test_relations_have_labels_and_a_way_to_be_compared():
    found = load_label_map("bc5cdr")

    assert found.relations["CID"].compare == "concepts"
    assert found.our_relation("chemical_induced_disease") == "CID"
    assert found.our_relation("drug_dose") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("typs: {A: [drug]}", "unknown key 'typs'; did you mean 'types'?"),
        ("types: {A: [drugg]}", "unknown label 'drugg'; did you mean 'drug'?"),
        ("types: {A: [drug], B: [drug]}", "the label 'drug' is given twice, for A and for B"),
        ("types: {A: {gold: [X], ours: [drug]}, B: {gold: [X], ours: [dose]}}", "the gold type 'X' is given twice"),
        ("types:\n  A: [drug]\n  A: [dose]", "line 3: 'A' is given twice"),
        ("types: {A: {gold: [X], our: [drug]}}", "A: unknown key 'our'; did you mean 'ours'?"),
        ("types: {A: drug}", "A must hold keys"),
        ("types: {A: []}", "A needs a list of names"),
        ("types: {}", "has no types"),
        ("- a", "the map must hold keys"),
        ("types: [", "no valid YAML"),
        ("unit: terms\ntypes: {A: [drug]}", "unit is 'terms'; did you mean 'term'?"),
        ("alternatives: 3\ntypes: {A: [drug]}", "alternatives must be true or false"),
        ("types: {A: [drug]}\nrelations: {R: [drug_dos]}", "unknown label 'drug_dos'; did you mean 'drug_dose'?"),
        ("types: {A: [drug]}\nrelations: {R: {ours: [drug_dose], compare: concept}}", "did you mean 'concepts'?"),
    ],
)  # fmt: skip
def test_a_wrong_map_is_refused_with_what_was_meant(tmp_path, text, words):
    with pytest.raises(ConfigError) as refused:
        parsed(tmp_path, text)

    assert words in str(refused.value)


def test_labels_that_settings_name_are_known(tmp_path):
    assert parsed(tmp_path, "types: {A: [reagent]}", known={"reagent"}).types == ["A"]


def test_a_map_that_is_not_there_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match="did you mean 'bc5cdr'"):
        load_label_map("bc5cd")


def test_the_corpus_is_told_by_the_folder_or_the_beginning_of_the_name(tmp_path):
    for folder, name, corpus in (
        ("bc5cdr", "dev.jsonl", "bc5cdr"),
        ("mine", "ade_v2_dev.jsonl.gz", "ade_v2"),
        ("mine", "ncbi_disease.jsonl", "ncbi_disease"),
    ):
        assert shipped_map_of([tmp_path / folder / name]).stem == corpus
    assert shipped_map_of([tmp_path / "mine" / "own.jsonl"]) is None


def test_files_of_several_corpora_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="several corpora"):
        shipped_map_of([tmp_path / "bc5cdr" / "dev.jsonl", tmp_path / "biored" / "dev.jsonl"])
