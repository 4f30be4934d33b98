"""``extractor vocab build`` and ``extractor vocab list``."""

import json

import pytest
from click.testing import CliRunner

from extractor.cli import main
from extractor.resources import model_folder
from tests.knowledge import made
from tests.knowledge.releases import write

RECIPE = """
name: knowledge-made
licence: none
source: invented
sources: [{kind: mesh, path: mesh}, {kind: doid, path: doid}]
texts: [train.jsonl]
"""


@pytest.fixture
def root(tmp_path):
    made.sources(tmp_path / "vocabularies")
    made.texts(tmp_path / "texts")
    write(tmp_path / "recipe.yaml", [RECIPE])
    return tmp_path


def build(root, **given):
    arguments = {
        "--config": root / "recipe.yaml",
        "--source": root / "vocabularies",
        "--texts": root / "texts",
    }
    arguments |= {"--out": root / "models" / "knowledge-made" / "1.0.0", **given}
    return CliRunner().invoke(
        main, ["vocab", "build", "--json", *(str(part) for pair in arguments.items() for part in pair)]
    )


def test_a_pack_is_built_and_listed(root, monkeypatch):
    built = build(root)
    assert built.exit_code == 0, built.output
    assert json.loads(built.output)[0]["systems"]["MESH"] == 8

    monkeypatch.setenv("EXTRACTOR_MODELS", str(root / "models"))
    model_folder.cache_clear()
    listed = CliRunner().invoke(main, ["vocab", "list"])
    model_folder.cache_clear()
    assert listed.output.startswith("knowledge-made/1.0.0: ")


def test_a_missing_file_ends_the_build_with_the_operators_exit_code(root):
    failed = build(root, **{"--source": root / "nowhere"})

    assert failed.exit_code == 2
    assert not (root / "models").exists()


def test_a_pack_without_texts_takes_the_ranker_of_another(root, monkeypatch):
    monkeypatch.delenv("EXTRACTOR_MODELS", raising=False)
    model_folder.cache_clear()
    write(root / "recipe.yaml", [RECIPE.replace("texts: [train.jsonl]", "ranker: knowledge-biomedical")])

    assert build(root).exit_code == 0
    taken = json.loads((root / "models" / "knowledge-made" / "1.0.0" / "ranker.json").read_text())
    assert set(taken) == {"learned", "plain"}
