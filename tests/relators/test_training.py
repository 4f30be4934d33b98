"""Training: made corpora, cross-fitted choices, packs that load."""

import gzip
import json
import math
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from extractor import resources
from extractor.cli_relations import relations
from extractor.errors import ConfigError
from extractor.relators.fitting import fit, platt, sigmoid
from extractor.relators.pack import SENTENCE_PACK, load_pack
from extractor.relators.sentence import SentenceRelator
from extractor.relators.training import Settings, train_relations
from tests.relators.made import links, marked

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"
DRUGS = ("aspirin", "digoxin", "heparin", "ibuprofen", "codeine", "atenolol")


def record(number):
    """Two drugs with a dose each, in changing order of words."""
    one, other = DRUGS[number % 6], DRUGS[(number + 1 + number // 6) % 6]
    text = f"We gave {one} {number + 1} mg and {other} {number + 2} mg."
    if number % 2:
        text = f"Of {one} {number + 1} mg was given, then {number + 2} mg of {other}."
    places = [(one, "D"), (f"{number + 1} mg", "A"), (other, "D"), (f"{number + 2} mg", "A")]
    entities = []
    for index, (words, kind) in enumerate(places):
        start = text.index(words) if index < 2 else text.rindex(words)
        entities.append({"start": start, "end": start + len(words), "type": kind, "text": words})
    return {
        "id": str(number),
        "text": text,
        "entities": entities,
        "relations": [{"type": "R", "arg1": 1, "arg2": 0}, {"type": "R", "arg1": 2, "arg2": 3}],
    }


def cid(number):
    """One chemical concept that brings about one disease, beside a treated one."""
    text = f"Effects of lithium {number}. Lithium caused tremor. Codeine was given for headache."
    entities = [
        {"start": text.index(words), "end": text.index(words) + len(words), "type": kind, "text": words, "concept": code}
        for words, kind, code in (
            ("lithium", "C", "C1"), ("Lithium", "C", "C1"), ("tremor", "S", "S1"), ("Codeine", "C", "C2"), ("headache", "S", "S2"),
        )
    ]  # fmt: skip
    return {
        "id": f"c{number}",
        "text": text,
        "entities": entities,
        "relations": [{"type": "I", "arg1": "C1", "arg2": "S1"}],
    }


@pytest.fixture
def training(tmp_path):
    for name, make in (("pairs", record), ("cid", cid)):
        with gzip.open(tmp_path / f"{name}.jsonl.gz", "wt", encoding="utf-8") as stream:
            stream.writelines(json.dumps(make(number)) + "\n" for number in range(24))
    corpora = [
        {
            "name": "pairs",
            "file": "pairs.jsonl.gz",
            "entities": {"D": "drug", "A": "dose"},
            "relations": {"R": ["drug_dose"]},
        },
        {
            "name": "cid",
            "file": "cid.jsonl.gz",
            "entities": {"C": "drug", "S": "disease"},
            "relations": {"I": ["chemical_induced_disease"]},
        },
    ]
    config = tmp_path / "relations.yaml"
    config.write_text(
        yaml.safe_dump(
            {"seed": 1, "folds": 3, "l2": [0.5, 2], "min_count": 2, "version": "9.0.0", "corpora": corpora}
        )
    )
    return config


def test_a_trained_pack_loads_and_links_whatever_the_order_of_arguments_was(training, tmp_path, monkeypatch):
    folders = train_relations(training, data=tmp_path, out=tmp_path / "models", say=lambda _: None)

    monkeypatch.setenv("EXTRACTOR_MODELS", str(tmp_path / "models"))
    resources.model_folder.cache_clear()
    try:
        found = links(
            SentenceRelator(), *marked("We gave [warfarin|drug] [5 mg|dose] and [senna|drug] [9 mg|dose].")
        )
    finally:
        resources.model_folder.cache_clear()
    assert [path.parent.name for path in folders] == ["relations-sentence", "relations-chemical-disease"]
    assert found == [("drug_dose", "warfarin", "5 mg"), ("drug_dose", "senna", "9 mg")]


def test_equal_input_gives_equal_files(training, tmp_path):
    for out in ("one", "two"):
        train_relations(training, data=tmp_path, out=tmp_path / out, say=lambda _: None)

    for file in sorted((tmp_path / "one").rglob("*.json")):
        assert file.read_bytes() == (tmp_path / "two" / file.relative_to(tmp_path / "one")).read_bytes()


def test_the_command_reports_what_held_out_folds_gave(training, tmp_path):
    done = CliRunner().invoke(
        relations, ["--config", str(training), "--data", str(tmp_path), "--out", str(tmp_path / "m")]
    )

    assert done.exit_code == 0, done.output
    assert "drug_dose: related 48" in done.output
    assert "chemical_induced_disease: related 24, not candidates 0" in done.output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeed": 1}, "exactly the keys"),
        ({"corpora": [{"name": "x"}]}, "exactly the keys"),
        (
            {"corpora": [{"name": "x", "file": "f", "entities": {}, "relations": {"R": ["drug_colour"]}}]},
            "no relation",
        ),
    ],
)
def test_a_wrong_configuration_is_refused_by_name(training, change, message):
    training.write_text(yaml.safe_dump({**yaml.safe_load(training.read_text()), **change}))

    with pytest.raises(ConfigError, match=message):
        Settings.read(training)


def test_the_fit_finds_the_feature_that_decides():
    rows = [["both", "yes"] if number % 2 else ["both", "no"] for number in range(40)]

    fitted = fit(rows, [bool(number % 2) for number in range(40)], l2=0.1, min_count=1)

    assert fitted.weights["yes"] > 1 > -1 > fitted.weights["no"]
    assert fitted.raw(["yes"]) > 0 > fitted.raw(["no", "never seen"])


def test_platt_makes_probabilities_that_come_true():
    raw = [4.0] * 100 + [-4.0] * 100  # overconfident: 80 of 100 and 20 of 100 are right
    labels = [index % 10 < 8 for index in range(100)] + [index % 10 < 2 for index in range(100)]

    slope, intercept = platt(raw, labels)

    assert sigmoid(slope * 4 + intercept) == pytest.approx(0.8, abs=0.02)
    assert sigmoid(slope * -4 + intercept) == pytest.approx(0.2, abs=0.02)
    assert sigmoid(-1000) == 0
    assert math.isclose(sigmoid(0), 0.5)


def test_shipped_weights_are_readable_and_scored_between_nothing_and_one():
    for family in load_pack(SENTENCE_PACK).families.values():
        assert len(family.fitted.weights) > 100
        assert all(0 <= number <= 1 for number in family.score(["order=ht", "nearest=11"]))
        assert all(0 < setting.threshold < 1 for setting in family.kinds.values())


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the corpora are not beside the checkout")
def test_given_mentions_body_parts_are_linked_as_the_card_says():
    from extractor.relators.corpora import place, read_corpus

    settings = Settings.read(resources.folder("configs") / "training" / "relations.yaml")
    (corpus,) = [one for one in settings.corpora if "MACCROBAT" in one.name]
    from dataclasses import replace

    relator = SentenceRelator(kinds=["finding_body_part"])
    right = said = gold = 0
    for one in read_corpus(replace(corpus, file=corpus.file.replace("train", "dev")), SHARED):
        wanted = {pair for pair in one.pairs if pair[0] == "finding_body_part"}
        found = {
            (each.label, place(each.head), place(each.tail))
            for each in relator.relations(one.document, one.entities)
        }
        right, said, gold = right + len(found & wanted), said + len(found), gold + len(wanted)
    assert 2 * right / (said + gold) > 0.9
