from __future__ import annotations

import time

import pytest
from hypothesis import given, settings, strategies as st

from extractor.records import Assertion
from extractor.refiners.assertion import AssertionRefiner
from tests.extractors.made import document, table
from tests.refiners.made import mention

REFINER = AssertionRefiner()


def said(text, quote, label="disease", nth=0):
    doc = document(text)
    return REFINER.refine(doc, [mention(doc, quote, label, nth=nth)])[0].assertion


NEGATED = [
    ("No evidence of pneumonia.", "pneumonia"),
    ("The swab is negative for influenza.", "influenza"),
    ("Fever: none", "Fever"),
    ("Fever: no.", "Fever"),
    ("Fever - denied", "Fever"),
    ("Rash (-), itch (+)", "Rash"),
    ("(-) rash, (+) itch", "rash"),
    ("Fever? No. Cough? Yes.", "Fever"),
    ("Troponin negative.", "Troponin"),
    ("She denies fever, chills, or night sweats.", "night sweats"),
    ("Denies fever, cough or dyspnea but reports headache.", "dyspnea"),
    ("An effusion was not seen.", "effusion"),
    ("Effusion and oedema were not seen.", "Effusion"),
    ("Pulmonary embolism was ruled out.", "Pulmonary embolism"),
    ("He ruled out for myocardial infarction.", "myocardial infarction"),
    ("The chest is clear, without wheezes or rhonchi.", "rhonchi"),
    ("The test failed to reveal malignancy.", "malignancy"),
    ("He didn\u2019t have seizures.", "seizures"),
    ("He did not have any vomiting.", "vomiting"),
    ("Neither rash nor fever was present.", "fever"),
    ("No acute distress.", "acute distress"),
    ("No known drug allergies.", "drug allergies"),
    ("Abdomen: negative tenderness, negative guarding.", "guarding"),
    ("Lungs free of infiltrates.", "infiltrates"),
    ("A pain-free interval.", "pain"),
    ("A non-diabetic man.", "diabetic"),
    ("Absence of jaundice was noted.", "jaundice"),
    ("\u2610 Fever  \u2612 Cough", "Fever"),
    ("No history of diabetes.", "diabetes"),
    ("Denies any\nfurther bleeding.", "bleeding"),
    ("Positive for cough, negative for fever.", "fever"),
    ("Although he coughs, there is no pneumonia.", "pneumonia"),
    ("Pneumonia is unlikely.", "Pneumonia"),
    ("None of the patients developed hepatitis.", "hepatitis"),
    ("Kit No. 5 showed no gout.", "gout"),
    ("He has no headache, nausea, vomiting, photophobia, neck stiffness, or rash.", "rash"),
]

AFFIRMED = [
    ("Denies fever, cough or dyspnea but reports headache.", "headache"),
    ("Denies fever, however has cough.", "cough"),
    ("No fever; cough for two days.", "cough"),
    ("No fever, positive for cough.", "cough"),
    ("No clubbing, there is pitting edema.", "edema"),
    ("Effusion is absent. Cardiomegaly is present.", "Cardiomegaly"),
    ("There was pneumonia, while effusion was not seen.", "pneumonia"),
    ("He has pneumonia and embolism was ruled out.", "pneumonia"),
    ("No change in his angina.", "angina"),
    ("No relief of pain.", "pain"),
    ("Gram-negative sepsis was treated.", "sepsis"),
    ("Not only asthma but also eczema was found.", "asthma"),
    ("Hypertension is not well controlled.", "Hypertension"),
    ("He has non-Hodgkin lymphoma.", "lymphoma"),
    ("Denies chest pain. Reports nausea.", "nausea"),
    ("No bleeding, which followed his colitis.", "colitis"),
    ("Rash (-), itch (+)", "itch"),
    ("(-) rash, (+) itch", "itch"),
    ("\u2610 Fever  \u2612 Cough", "Cough"),
    ("No fever.\n- Cough\n- Rash", "Rash"),
    ("Allergies: none\n\nProblems: asthma", "asthma"),
    ("His wife denies that he smokes. He has emphysema.", "emphysema"),
    ("No seizures secondary to his meningioma.", "meningioma"),
    ("Diabetes: no. Hypertension: yes.", "Hypertension"),
    ("No fever, + fatigue.", "fatigue"),
]


@pytest.mark.parametrize(("text", "quote"), NEGATED)
def test_a_denied_finding_is_negated(text, quote):
    assert said(text, quote).negated is True


@pytest.mark.parametrize(("text", "quote"), AFFIRMED)
def test_what_the_denial_does_not_reach_stands(text, quote):
    assert said(text, quote).negated is False


@pytest.mark.parametrize(
    ("text", "quote", "certainty"),
    [
        ("Possible pneumonia.", "pneumonia", "uncertain"),
        ("Rule out appendicitis.", "appendicitis", "uncertain"),
        ("R/o sepsis", "sepsis", "uncertain"),
        ("Embolism cannot be excluded.", "Embolism", "uncertain"),
        ("Embolism has not been ruled out.", "Embolism", "uncertain"),
        ("Concerning for meningitis.", "meningitis", "uncertain"),
        ("This may represent a metastasis.", "metastasis", "uncertain"),
        ("Heart failure versus pneumonia.", "pneumonia", "uncertain"),
        ("Findings suggestive of gout.", "gout", "uncertain"),
        ("Call if bleeding occurs.", "bleeding", "hypothetical"),
        ("If fever occurs, take paracetamol.", "fever", "hypothetical"),
        ("Return for any worsening pain.", "pain", "hypothetical"),
        ("He is at risk of stroke.", "stroke", "hypothetical"),
        ("Heparin for thrombosis prophylaxis.", "thrombosis", "hypothetical"),
        ("Ibuprofen as needed for pain.", "pain", "hypothetical"),
        ("Monitor for hypotension.", "hypotension", "hypothetical"),
        ("He has gout.", "gout", "certain"),
        ("Cannot exclude early sepsis.", "sepsis", "uncertain"),
    ],
)
def test_doubt_and_condition_are_told_from_fact(text, quote, certainty):
    found = said(text, quote)

    assert (found.certainty, found.negated) == (certainty, False)


def test_an_unlikely_finding_is_denied_with_doubt():
    assert said("Sepsis is unlikely.", "Sepsis") == Assertion(
        negated=True, certainty="uncertain", temporality="current", experiencer="patient"
    )


@pytest.mark.parametrize(
    ("text", "quote", "label", "temporality"),
    [
        ("History of stroke.", "stroke", "disease", "historical"),
        ("S/p appendectomy.", "appendectomy", "therapeutic_procedure", "historical"),
        ("Status post hip replacement.", "hip replacement", "therapeutic_procedure", "historical"),
        ("She had measles in childhood.", "measles", "disease", "historical"),
        ("Prior myocardial infarction.", "myocardial infarction", "disease", "historical"),
        ("The rash has resolved.", "rash", "disease", "historical"),
        ("A 3-day history of cough.", "cough", "disease", "current"),
        ("History of present illness: cough.", "cough", "disease", "current"),
        ("History of asthma, who presents with cough.", "cough", "disease", "current"),
        ("An 80-year-old diabetic.", "diabetic", "disease", "current"),
        ("Scheduled for colonoscopy.", "colonoscopy", "diagnostic_procedure", "future"),
        ("We will start metformin.", "metformin", "drug", "future"),
        ("Surgery for cataract is planned.", "cataract", "disease", "current"),
        ("Pain over the past two weeks with swelling.", "swelling", "disease", "current"),
    ],
)
def test_past_and_planned_are_told_from_present(text, quote, label, temporality):
    assert said(text, quote, label).temporality == temporality


@pytest.mark.parametrize(
    ("text", "quote", "experiencer"),
    [
        ("His mother had breast cancer.", "breast cancer", "family"),
        ("Family history of glaucoma.", "glaucoma", "family"),
        ("Diabetes in his father.", "Diabetes", "family"),
        ("Mother reports that he has fever.", "fever", "patient"),
        ("He lives with his mother. He has asthma.", "asthma", "patient"),
        ("Her roommate has influenza.", "influenza", "other"),
        ("Exposed to someone with tuberculosis.", "tuberculosis", "other"),
        ("No relative pupillary defect.", "pupillary defect", "patient"),
        ("His father had gout; the patient has psoriasis.", "psoriasis", "patient"),
    ],
)
def test_who_has_it(text, quote, experiencer):
    assert said(text, quote).experiencer == experiencer


def test_a_negative_test_leaves_no_doubt():
    before, after = (
        said("Screened for depression.", "depression"),
        said("Screening for gout was negative.", "gout"),
    )

    assert (before.certainty, before.negated) == ("uncertain", False)
    assert (after.certainty, after.negated) == ("certain", True)


def test_a_denied_family_history_is_denied_and_of_the_family():
    found = said("No family history of colon cancer.", "colon cancer")

    assert (found.negated, found.experiencer) == (True, "family")


@pytest.mark.parametrize(
    ("heading", "label", "field", "value"),
    [
        ("FAMILY HISTORY", "disease", "experiencer", "family"),
        ("PAST MEDICAL HISTORY", "disease", "temporality", "historical"),
        ("ALLERGIES", "drug", "temporality", "historical"),
        ("PLAN", "drug", "temporality", "future"),
        ("PLAN", "disease", "temporality", "current"),
        ("RETURN PRECAUTIONS", "disease", "certainty", "hypothetical"),
        ("CONTRAINDICATIONS", "disease", "certainty", "hypothetical"),
    ],
)
def test_a_section_speaks_for_what_it_holds(heading, label, field, value):
    doc = document(f"{heading}:\nWarfarin. Hepatitis.\n\nDISCUSSION:\nNothing more.")
    quote = "Warfarin" if label == "drug" else "Hepatitis"
    (refined,) = REFINER.refine(doc, [mention(doc, quote, label)])

    assert getattr(refined.assertion, field) == value


def test_the_sentence_beats_its_section():
    doc = document("PLAN:\nContinue lisinopril. Start metformin.")
    kept, new = REFINER.refine(doc, [mention(doc, "lisinopril", "drug"), mention(doc, "metformin", "drug")])

    assert (kept.assertion.temporality, new.assertion.temporality) == ("current", "future")


def test_sections_count_only_if_they_are_asked():
    doc = document("FAMILY HISTORY:\nHepatitis.")
    (refined,) = AssertionRefiner(section_defaults=False).refine(doc, [mention(doc, "Hepatitis")])

    assert refined.assertion.experiencer == "patient"


def test_the_next_cell_answers():
    doc = table(("Symptom", "Present"), ("Fever", "No"), ("Cough", "Yes"))
    fever, cough = REFINER.refine(doc, [mention(doc, "Fever"), mention(doc, "Cough")])

    assert (fever.assertion.negated, cough.assertion.negated) == (True, False)


def test_a_cross_under_no_denies():
    doc = table(("Symptom", "Yes", "No"), ("Fever", "", "X"), ("Cough", "X", ""))
    fever, cough = REFINER.refine(doc, [mention(doc, "Fever"), mention(doc, "Cough")])

    assert (fever.assertion.negated, cough.assertion.negated) == (True, False)


def test_a_denial_stays_in_its_cell_and_page():
    doc = table(("no", "asthma"), ("No known", "gout"))
    refined = REFINER.refine(doc, [mention(doc, "asthma"), mention(doc, "gout")])
    over_page = said("No\fasthma today", "asthma")

    assert [one.assertion.negated for one in refined] == [False, False]
    assert over_page.negated is False


def test_other_labels_stay_unexamined():
    assert said("No measurement.", "measurement", "measurement") == Assertion()
    doc = document("No measurement.")
    chosen = AssertionRefiner(labels=["measurement"]).refine(
        doc, [mention(doc, "measurement", "measurement")]
    )

    assert chosen[0].assertion.negated is True


def test_the_order_and_everything_else_of_the_mentions_stay():
    doc = document("No fever. Cough 38.5 mg. Asthma.")
    given = [
        mention(doc, "fever"),
        mention(doc, "38.5 mg", "dose"),
        mention(doc, "Asthma", normalised="asthma"),
    ]
    refined = REFINER.refine(doc, given)

    assert [one.span for one in refined] == [one.span for one in given]
    assert refined[1] is given[1]
    assert refined[2].normalised == "asthma"


@settings(max_examples=60)
@given(
    st.lists(
        st.sampled_from(
            [
                "no",
                "fever",
                "but",
                "if",
                "\u0130stanbul",
                "\U0001f637",
                "e\u0301",
                ".",
                ":",
                "(-)",
                "\u05d7\u05d5\u05dd",
                "\x07",
                "mother",
                "\n",
            ]
        ),
        min_size=1,
        max_size=40,
    )
)
def test_any_text_gets_an_answer_for_each_mention(words):
    doc = document(" ".join([*words, "fever"]))
    places = [at for at in range(len(doc.text)) if doc.text.startswith("fever", at)]
    given_mentions = [mention(doc, "fever", nth=at) for at in range(len(places))]
    refined = REFINER.refine(doc, given_mentions)

    assert [one.span for one in refined] == [one.span for one in given_mentions]
    assert all(one.assertion.negated is not None for one in refined)


def test_a_long_text_without_any_border_costs_no_square():
    doc = document("no fever and " * 40_000)
    given_mentions = [mention(doc, "fever")]
    step = len("no fever and ")
    from dataclasses import replace

    from extractor.spans import Span

    given_mentions = [
        replace(given_mentions[0], span=Span(3 + step * at, 8 + step * at)) for at in range(0, 40_000, 4)
    ]
    started = time.process_time()
    refined = REFINER.refine(doc, given_mentions)

    assert time.process_time() - started < 10
    assert len(refined) == 10_000
