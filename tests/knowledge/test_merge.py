"""Terms that name the same thing become one concept; others stay apart."""

from extractor.knowledge.merge import merge
from extractor.knowledge.terms import Term


def term(system, code, name, *synonyms, same=(), groups=("disorder",)):
    return Term(system=system, code=code, name=name, synonyms=synonyms, same=same, groups=groups)


def codes(concepts):
    return [sorted(f"{system}:{code}" for system, code in concept.codes) for concept in concepts]


def test_a_cross_reference_that_one_term_alone_gives_joins_it():
    found = merge(
        [
            [term("MESH", "D1", "Azure Fever")],
            [term("DOID", "1", "blue pyrexia", same=(("MESH", "D1"), ("OMIM", "7")))],
        ]
    )

    assert codes(found) == [["DOID:1", "MESH:D1", "OMIM:7"]]
    assert set(found[0].names) == {"azure fever", "blue pyrexia"}


def test_of_two_terms_with_one_cross_reference_only_the_one_of_that_name_joins():
    found = merge(
        [
            [term("MESH", "D1", "Glimmer")],
            [
                term("DOID", "1", "glimmer", same=(("MESH", "D1"),)),
                term("DOID", "2", "glimmer type 7", same=(("MESH", "D1"),)),
            ],
        ]
    )

    assert codes(found) == [["DOID:1", "MESH:D1"], ["DOID:2"]]


def test_the_same_preferred_name_joins_within_a_group_and_not_across_groups():
    disorder = term("MESH", "D1", "Glimmer")
    drug = term("DRUGBANK", "DB1", "glimmer", groups=("chemical",))

    assert codes(merge([[disorder], [term("ICD10CM", "Z9", "Glimmers")]])) == [["ICD10CM:Z9", "MESH:D1"]]
    assert len(merge([[disorder], [drug]])) == 2


def test_a_substance_joins_the_only_one_that_its_synonym_names():
    mesh = [term("MESH", "D1", "Thicket Acid", groups=("chemical",))]
    lipid = term("DRUGBANK", "DB1", "Lipid Acid", "thicket acid", groups=("chemical",))
    thicket = term("DRUGBANK", "DB2", "Thicket acid", groups=("chemical",))

    assert codes(merge([mesh, [lipid]])) == [["DRUGBANK:DB1", "MESH:D1"]]
    assert codes(merge([mesh, [lipid, thicket]])) == [["DRUGBANK:DB2", "MESH:D1"], ["DRUGBANK:DB1"]]


def test_codes_of_systems_that_are_not_kept_are_left_out():
    doid = [term("DOID", "1", "glimmer", same=(("OMIM", "7"), ("SNOMEDCT", "9")))]

    assert codes(merge([doid])) == [["DOID:1", "OMIM:7"]]
    assert codes(merge([doid], kept=("SNOMEDCT",))) == [["DOID:1", "SNOMEDCT:9"]]


def test_inverted_headings_are_turned_round():
    (found,) = merge([[term("MESH", "D1", "Fever, Azure")]])

    assert set(found.names) == {"azure fever"}
