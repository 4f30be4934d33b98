"""Acceptance criteria: closed sections, and a digest that covers all that is demanded."""

import shutil

import pytest

from extractor.acceptance.criteria import criteria_path, load_criteria
from extractor.errors import ConfigError, InputError
from tests.acceptance import made


def gold_of(found):
    return found["gold"][0]


def test_the_shipped_criteria_fit_the_shipped_gold_set():
    criteria = load_criteria(criteria_path("ner-biomedical"))

    assert criteria.rules.model == "ner-biomedical"
    assert [file.name for file in criteria.gold[0].files] == ["admissions.jsonl"]
    assert criteria.rules.minimum_tokens_per_s is None
    assert criteria.compares


def test_every_type_of_the_shipped_criteria_has_the_support_that_it_demands():
    from collections import Counter

    from extractor.gold import read_gold

    (gold,) = load_criteria(criteria_path("ner-biomedical")).gold
    counts = Counter(entity.type for document in read_gold(gold.files) for entity in document.entities)

    assert {
        kind: floor.minimum_support <= counts[kind] for kind, floor in gold.rules.types.items()
    } == dict.fromkeys(gold.rules.types, True)
    assert gold.rules.micro.minimum_support <= counts.total()
    assert len(read_gold(gold.files)) == 40


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: found.update(risk_clas="x"), "file: unknown key 'risk_clas'; did you mean 'risk_class'?"),
        (lambda found: gold_of(found).update(mach="x"), r"gold\.0: unknown key 'mach'; did you mean 'match'?"),
        (
            lambda found: gold_of(found)["types"]["drug"].update(recal=1),
            r"gold\.0\.types\.drug: unknown key 'recal'; did you mean 'recall'?",
        ),
        (lambda found: gold_of(found)["micro"].update(f1=70), r"gold\.0\.micro\.f1: "),
        (lambda found: gold_of(found).update(match="loose"), r"gold\.0\.match: "),
        (lambda found: gold_of(found)["micro"].pop("minimum_support"), r"gold\.0\.micro\.minimum_support: "),
        (lambda found: gold_of(found)["micro"].pop("f1"), "a floor needs precision, recall or f1"),
        (lambda found: (gold_of(found).pop("micro"), gold_of(found).pop("types")), "needs a floor, micro or by type"),
        (lambda found: found.update(gold=[]), "gold: "),
        (lambda found: found["gold"].append(found["gold"][0]), "two gold sets have one name"),
        (lambda found: found.update(options={"model": "x"}), "options must not name the model"),
        (lambda found: found.pop("risk_class"), "risk_class: "),
        (
            lambda found: gold_of(found)["no_worse_than_promoted_by"].update(types={"drug": -1}),
            "the margin of drug must be 0 to 100 points",
        ),
    ],
    ids=[
        "top key", "gold key", "floor key", "percent", "match", "no support", "floor of nothing", "no floor", "no gold",
        "one name twice", "model as option", "no risk class", "negative margin",
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_its_place(tmp_path, change, message):
    with pytest.raises(ConfigError, match=message):
        load_criteria(made.write_criteria(tmp_path, change))


@pytest.mark.parametrize("content", ["model: [", "- a list", ""], ids=["no YAML", "list", "empty"])
def test_a_file_that_is_no_criteria_is_refused(tmp_path, content):
    (tmp_path / "tiny.yaml").write_text(content)

    with pytest.raises(ConfigError, match="acceptance criteria"):
        load_criteria(tmp_path / "tiny.yaml")


def test_criteria_that_are_nowhere_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="do not exist"):
        load_criteria(tmp_path / "tiny.yaml")
    with pytest.raises(ConfigError, match="no acceptance criteria for the model 'tiny'"):
        criteria_path("tiny")


def test_criteria_beside_the_settings_come_first(tmp_path):
    own = made.write_criteria(tmp_path / "acceptance", name="ner-biomedical.yaml")

    assert criteria_path("ner-biomedical", config_path=tmp_path / "config.yaml") == own
    assert criteria_path("ner-biomedical", config_path=tmp_path / "acceptance" / "config.yaml") != own


def test_the_digest_stays_where_the_files_move(tmp_path):
    before = load_criteria(made.write_criteria(tmp_path / "here")).sha256
    shutil.move(tmp_path / "here", tmp_path / "there")

    assert load_criteria(tmp_path / "there" / "tiny.yaml").sha256 == before


@pytest.mark.parametrize("what", ["floor", "gold", "labels", "use"])
def test_the_digest_covers(tmp_path, what):
    labels = tmp_path / "map.yaml"
    labels.write_text("types: {drug: [drug]}")
    before = load_criteria(
        made.write_criteria(tmp_path, lambda found: gold_of(found).update(labels="map.yaml"))
    ).sha256
    if what == "floor":
        made.write_criteria(
            tmp_path,
            lambda found: gold_of(found).update(labels="map.yaml", micro={"minimum_support": 9, "f1": 0.5}),
        )
    elif what == "gold":
        made.write_gold(tmp_path, times=2)
    elif what == "labels":
        labels.write_text("types: {drug: [drug, dose]}")
    else:
        made.write_criteria(
            tmp_path,
            lambda found: (gold_of(found).update(labels="map.yaml"), found.update(intended_use="Other.")),
        )

    assert load_criteria(tmp_path / "tiny.yaml").sha256 != before


def test_gold_may_lie_where_the_environment_says(tmp_path, monkeypatch):
    file = made.write_criteria(
        tmp_path / "criteria", lambda found: gold_of(found).update(path="${EXTRACTOR_GOLD}/sentences.jsonl")
    )
    monkeypatch.delenv("EXTRACTOR_GOLD", raising=False)
    with pytest.raises(
        ConfigError, match=r"gold set sentences lies in \$\{EXTRACTOR_GOLD\}, which is not set"
    ):
        load_criteria(file)

    (tmp_path / "gold").mkdir()
    path = made.write_gold(tmp_path / "gold")
    monkeypatch.setenv("EXTRACTOR_GOLD", str(tmp_path / "gold"))

    assert load_criteria(file).gold[0].files == (path,)


def test_gold_that_is_not_there_is_refused_by_its_name(tmp_path):
    file = made.write_criteria(tmp_path)
    (tmp_path / "sentences.jsonl").unlink()

    with pytest.raises(ConfigError, match="gold set sentences is not where") as caught:
        load_criteria(file)
    assert "your own" in caught.value.hint


def test_a_folder_of_gold_without_documents_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()

    with pytest.raises(InputError, match="holds no"):
        load_criteria(made.write_criteria(tmp_path, lambda found: gold_of(found).update(path="empty")))


def test_a_label_map_that_nobody_knows_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(ConfigError, match="no label map 'bc5cd'; did you mean 'bc5cdr'"):
        load_criteria(made.write_criteria(tmp_path, lambda found: gold_of(found).update(labels="bc5cd")))
    assert (
        load_criteria(made.write_criteria(tmp_path, lambda found: gold_of(found).update(labels="bc5cdr")))
        .gold[0]
        .labels
        == "bc5cdr"
    )
