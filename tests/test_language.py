from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from extractor.language import language_of


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The patient was admitted with chest pain and shortness of breath.", "en"),
        ("Der Patient wurde mit Fieber und Husten in die Klinik aufgenommen.", "de"),
        ("Le patient a été admis pour une douleur avec fièvre depuis deux jours.", "fr"),
        ("El paciente ingresó por dolor torácico y fiebre durante los últimos días.", "es"),
        ("Il paziente è stato ricoverato per dolore toracico con febbre nella notte.", "it"),
        ("O paciente foi internado com dor no peito e febre, não apresentou tosse.", "pt"),
        ("De patiënt werd opgenomen met pijn op de borst en koorts bij onderzoek.", "nl"),
        ("Пациент поступил с болью в груди", "und-Cyrl"),  # noqa: RUF001
        ("Ο \u03b1σθενής εισήχθη με πόνο", "el"),  # noqa: RUF001
        ("患者は発熱を訴えた", "ja"),
        ("患者出現發熱和咳嗽", "zh"),
        ("환자는 발열을 호소했다", "ko"),
        ("المريض يعاني من الحمى", "und-Arab"),
        ("החולה התלונן על חום", "he"),
    ],
)
def test_a_sentence_tells_its_language(text, code):
    assert language_of(text) == code


@pytest.mark.parametrize(
    "text",
    ["", "Aspirin", "BP 120/80, HR 72, Temp 37.", "\u03b1-blocker \u03b2-agonist", "\x00\x07 \U0001f637"],
)
def test_too_little_text_tells_nothing(text):
    assert language_of(text) is None


def test_greek_letters_in_english_text_leave_it_english():
    assert (
        language_of("The patient was treated with \u03b1-interferon and \u03b2-blockers for the disease.")
        == "en"
    )


@given(st.text(max_size=300))
def test_any_text_has_an_answer(text):
    assert language_of(text) is None or isinstance(language_of(text), str)
