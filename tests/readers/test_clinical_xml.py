"""SPL and C-CDA: titles, narrative and data elements in the order of the document."""

import base64

import pytest

from extractor.errors import CorruptError, InputError, LimitError, UnsupportedError
from extractor.registry import CDA
from tests.readers.made import CDA_TEXT, SPL_TEXT, blocks_of, grids_of, page_of, read


def test_a_clinical_document_gives_header_data_and_narrative():
    page = page_of(CDA_TEXT.encode())

    assert blocks_of(page) == [
        ("heading", "Discharge Summary"),
        ("key_value", "effectiveTime: 20250915"),
        ("key_value", "patientRole id: 998991"),
        ("key_value", "patient name: Isabella Jones"),
        ("key_value", "patient administrativeGenderCode: Female"),
        ("key_value", "patient birthTime: 19750501"),
        ("key_value", "author time: 20250914"),
        ("key_value", "assignedPerson name: Henry Seven"),
        ("heading", "Allergies"),
        ("table", "Substance\tReaction\nPenicillin G\tHives"),
        ("heading", "Plan"),
        ("paragraph", "Take 5 mg."),
        ("paragraph", "First"),
        ("paragraph", "Second"),
    ]
    assert grids_of(page) == [[["Substance", "Reaction"], ["Penicillin G", "Hives"]]]
    assert page.tables[0].header_row_count == 1


def test_a_drug_label_gives_its_product_and_its_sections():
    assert blocks_of(page_of(SPL_TEXT.encode())) == [
        ("heading", "Drug Facts"),
        ("key_value", "manufacturedProduct code: 0067-6344"),
        ("key_value", "manufacturedProduct name: COUGHEX Night"),
        ("key_value", "manufacturedProduct formCode: SYRUP"),
        ("key_value", "ingredient quantity: 6.25 mg/5 mL"),
        ("key_value", "ingredientSubstance name: DIPHENHYDRAMINE"),
        ("heading", "Uses"),
        ("paragraph", "relieves cough and itching"),
        ("paragraph", "at night"),
        ("paragraph", "10⁹/L"),
        ("heading", "Warnings"),
        ("paragraph", "Stop"),
        ("paragraph", "Ask"),
    ]


def test_other_xml_gives_its_text_nodes_in_order():
    content = b"<?xml version='1.0'?><a><b>one</b><c>two <i>three</i> four</c><d><![CDATA[x < y]]></d></a>"

    assert [text for _, text in blocks_of(page_of(content))] == ["one", "two three four", "x < y"]


def test_a_body_held_as_base64_is_an_attachment():
    body = base64.b64encode(b"%PDF-1.4 rest").decode()
    head = CDA_TEXT.partition("<component>")[0]
    xml = f'{head}<component><nonXMLBody><text representation="B64">{body}</text></nonXMLBody></component></ClinicalDocument>'
    (page,), attached = read(xml.encode())

    assert attached == [b"%PDF-1.4 rest"]
    assert body not in page.text


def test_a_picture_of_more_than_ten_megabytes_inside_is_still_read():
    body = base64.b64encode(bytes(8_000_000)).decode()
    head = CDA_TEXT.partition("<component>")[0]
    xml = f'{head}<component><nonXMLBody><text representation="B64">{body}</text></nonXMLBody></component></ClinicalDocument>'

    assert [len(content) for content in read(xml.encode())[1]] == [8_000_000]


def _bomb(place):
    levels = "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(12))
    return f'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">{levels}]>{place}'.encode()


@pytest.mark.parametrize("place", ["<x>&m;</x>", '<x y="&m;">z</x>'])
def test_entities_are_never_expanded(place):
    with pytest.raises(InputError) as caught:
        read(_bomb(place), "application/xml")
    assert caught.value.code in ("input.corrupt", "limit.entities")


def test_outside_entities_are_never_fetched(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("SECRET")
    content = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]><x>a &e; b</x>'.encode()

    with pytest.raises(CorruptError):
        read(content, "application/xml")


def test_broken_deep_and_wordless_xml_is_refused_without_quoting_it():
    with pytest.raises(CorruptError) as broken:
        read(b"<a>Jane Doe<b></a>", "application/xml")
    with pytest.raises(LimitError) as deep:
        read(b"<a>" * 5_000, CDA)
    with pytest.raises(UnsupportedError):
        read(b"<a b='c'/>", "application/xml")

    assert "Jane" not in str(broken.value)
    assert deep.value.code == "limit.depth"
