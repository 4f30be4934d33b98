"""`extractor evaluate` from the command line and from Python."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from extractor.cli import main
from extractor.config import load_config
from extractor.errors import ConfigError
from extractor.evaluation import evaluate

ROOT = Path(__file__).parents[2]
VISITS = ROOT / "fixtures" / "gold" / "visits.jsonl"
SHARED = ROOT.parent / "shared" / "data"


def cli(*words):
    return CliRunner().invoke(main, ["evaluate", *map(str, words)], catch_exceptions=False)


def test_the_json_has_the_parts_in_their_order_and_python_gives_the_same_numbers():
    done = cli("--gold", VISITS, "--extractor", "dictionary", "--json")
    said = json.loads(done.stdout)
    report = evaluate([VISITS], extractor="dictionary").as_dict()

    assert done.exit_code == 0
    assert list(said)[:8] == [
        "micro", "macro", "types", "linking", "assertion", "relations", "calibration", "tokens_per_s",
    ]  # fmt: skip
    assert set(said["micro"]) == set(said["macro"]) == {"precision", "recall", "f1", "low", "high"}
    assert {"precision", "recall", "f1", "low", "high", "support"} <= set(said["types"]["disease"])
    for each in (said, report):
        del each["tokens_per_s"], each["seconds"]
    assert said == report


def test_the_tables_say_what_was_measured_and_what_was_left_out():
    done = cli("--gold", VISITS, "--extractor", "dictionary", "--match", "overlap")

    assert done.exit_code == 0
    for words in ("dictionary on 5 documents", "Mentions", "Codes end to end", "Calibration", "cannot rank",
                  "tokens/s", "note: no label map"):  # fmt: skip
        assert words in done.stdout


def test_only_the_named_extractor_finds():
    report = evaluate([VISITS], extractor="dose", labels=None)

    assert report.scores.types["dose"].predicted > 0
    assert report.scores.types["disease"].predicted == 0
    assert report.tested == "dose"


def test_the_options_of_a_configured_extractor_hold_for_it_alone_too(monkeypatch):
    made = []

    class Recording:
        def __init__(self, **options):
            from tests.evaluation.made import MAKER

            made.append(options)
            self.maker = MAKER

        def entities(self, document):
            return iter(())

    monkeypatch.setattr("extractor.finding.load", lambda *_, **__: Recording)
    config = load_config(
        overrides={
            "extractors": [{"name": "dictionary", "options": {"a": 1}}],
            "refiners": [],
            "relators": [],
        }
    )
    evaluate([VISITS], config=config, extractor="dictionary")
    evaluate([VISITS], config=config, extractor="other")

    assert made == [{"a": 1}, {}]


def test_an_unknown_extractor_is_refused_with_the_nearest_name():
    done = cli("--gold", VISITS, "--extractor", "dictionery")

    assert done.exit_code == ConfigError.exit_code
    assert "did you mean 'dictionary'?" in done.stderr


def test_a_gold_file_that_does_not_fit_its_text_is_refused_with_the_line(tmp_path):
    lines = VISITS.read_text().splitlines()
    wrong = json.loads(lines[1])
    wrong["entities"][0]["start"] += 1
    (tmp_path / "moved.jsonl").write_text("\n".join([lines[0], json.dumps(wrong)]))
    done = cli("--gold", tmp_path, "--json")

    assert done.exit_code == 4
    assert "moved.jsonl line 2 entity 0" in done.stderr
    assert "Owner of the gold files" in done.stderr
    assert done.stdout == ""


def test_several_files_may_follow_one_option(tmp_path):
    copy = tmp_path / "copy.jsonl"
    copy.write_text(VISITS.read_text())
    done = cli("--gold", VISITS, copy, "--extractor", "dictionary", "--json")

    assert json.loads(done.stdout)["documents"] == 10


def test_the_map_of_the_corpus_is_used_and_that_is_said(tmp_path):
    folder = tmp_path / "ncbi_disease"
    folder.mkdir()
    record = {
        "id": 1,
        "text": "asthma",
        "entities": [{"start": 0, "end": 6, "type": "Modifier", "text": "asthma"}],
    }
    (folder / "own.jsonl").write_text(json.dumps(record))
    report = evaluate([folder], extractor="dictionary")

    assert report.labels == "ncbi_disease"
    assert report.scores.types["Disease"].f1 == 1.0
    assert "chosen by the name of the corpus" in report.notes[0]


def test_a_map_given_by_file_or_name_is_used(tmp_path):
    (tmp_path / "mine.yaml").write_text("types: {all: {gold: [disease, drug], ours: [drug, disease]}}")

    assert list(evaluate([VISITS], extractor="dictionary", labels=tmp_path / "mine.yaml").scores.types) == [
        "all"
    ]
    assert evaluate([VISITS], extractor="dictionary", labels="bc5cdr").scores.types["Disease"].support == 0


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="the corpora are not beside the checkout")
def test_the_dictionary_scores_what_an_independent_count_gives():
    import gzip

    from extractor.evaluation.documents import text_document
    from extractor.registry import load

    path = SHARED / "ncbi_disease" / "dev.jsonl.gz"
    extractor = load("extractors", "dictionary")()
    right = mine = wanted = 0
    with gzip.open(path, "rt") as stream:
        for record in map(json.loads, stream):
            ours = {
                (entity.span.start, entity.span.end)
                for entity in extractor.entities(text_document(record["text"]))
                if entity.label == "disease"
            }
            gold = {(entity["start"], entity["end"]) for entity in record["entities"]}
            right, mine, wanted = right + len(gold & ours), mine + len(ours), wanted + len(gold)
    micro = evaluate([path], extractor="dictionary").scores.micro

    assert micro.f1 == pytest.approx(2 * right / (mine + wanted))
    assert (micro.right, micro.support) == (right, wanted)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="the corpora are not beside the checkout")
def test_every_corpus_fits_its_own_text_and_its_map_names_its_types():
    from extractor.evaluation.labels import load_label_map, shipped_maps
    from extractor.gold import read_gold

    for corpus in sorted(shipped_maps()):
        path = SHARED / corpus / "dev.jsonl.gz"
        if not path.exists():
            continue
        types = {entity.type for document in read_gold([path]) for entity in document.entities}
        assert types & set(load_label_map(corpus).gold), corpus
