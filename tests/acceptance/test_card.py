"""What a model folder declares, and what is refused."""

import pytest

from extractor.acceptance.card import parse_model, read_declared, same_words
from extractor.errors import ConfigError, MissingToolError, PolicyError
from tests.acceptance import made


def test_the_card_says_what_the_model_is_for_and_how_much_hangs_on_it(bare_models):
    made.bare(bare_models)

    found = read_declared("tiny/1.0.0")

    assert (found.intended_use, found.risk_class) == (made.USE, made.RISK)
    assert found.model == "tiny/1.0.0"
    assert len(found.sha256) == 64


def test_the_shipped_recogniser_declares_both():
    found = read_declared("ner-biomedical")

    assert found.version == "1.0.0"
    assert found.intended_use.startswith("Finding mentions in English papers")
    assert found.intended_use.endswith("people or rules check.")
    assert found.risk_class == "decision support under review"


def test_the_manifest_speaks_before_the_card(bare_models):
    made.bare(bare_models, intended_use="Another  use", risk_class="high")

    found = read_declared("tiny")

    assert (found.intended_use, found.risk_class) == ("Another use", "high")


@pytest.mark.parametrize(
    ("card", "declared"),
    [
        ("# A model\n\nNothing else.\n", (None, None)),
        ("## Intended use\n\n## Scores\n\nGood.\n", (None, None)),
        ("## Intended use\nTwo\nlines\n\nNot this.\n", ("Two lines", None)),
        ("### INTENDED USE\n\nOne. **Risk class**: low. More.\n", ("One.", "low")),
        ("## Scores\n\n**Risk class:** very\nhigh; really\n", (None, "very high")),
        ("## Intended users\n\nEverybody.\n", (None, None)),
    ],
    ids=["neither", "empty section", "one paragraph", "another style", "risk alone", "another heading"],
)
def test_a_card_is_read_as_it_is_written(bare_models, card, declared):
    made.bare(bare_models, card=card)

    found = read_declared("tiny")

    assert (found.intended_use, found.risk_class) == declared


def test_a_model_without_a_card_in_its_manifest_declares_nothing(bare_models):
    folder = made.bare(bare_models, card=None)
    (folder / "card.md").write_text(made.CARD)  # not covered by the manifest: anybody could write it

    with pytest.raises(PolicyError, match=r"tiny/1\.0\.0 has no card\.md that its manifest covers") as caught:
        read_declared("tiny")
    assert caught.value.code == "model.undeclared"


@pytest.mark.parametrize("file", ["card.md", "weights"])
def test_an_altered_file_is_refused(bare_models, file):
    folder = made.bare(bare_models)
    (folder / file).write_text("something else")

    with pytest.raises(MissingToolError, match="absent or altered"):
        read_declared("tiny/1.0.0")


def test_a_manifest_of_another_model_is_refused(bare_models):
    made.describe(made.bare(bare_models), version="9.9.9")

    with pytest.raises(PolicyError, match=r"the manifest of tiny/1\.0\.0 names another"):
        read_declared("tiny/1.0.0")


@pytest.mark.parametrize("text", ["", "../tiny", "/etc", "tiny/", "tiny/1/2", "a b", "tiny/../other"])
def test_only_names_of_the_models_folder_are_models(text):
    with pytest.raises(ConfigError, match="names no model"):
        parse_model(text)


def test_declarations_are_compared_by_their_words():
    assert same_words("Decision  support\nunder review", "decision support under review")
    assert not same_words("decision support", "decisions support")
