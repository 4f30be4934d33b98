"""The demonstration: what it says is true, and what it tells to type works as printed."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from extractor import demo as verb
from extractor.config import load_config
from extractor.lake.store import Lake

ROOT = Path(__file__).parents[1]
SCRIPT = Path(sys.executable).with_name("extractor")


def commands(demo):
    """The suggested lines, as lists of words."""
    told = demo.stdout.partition("To try next:")[2].splitlines()
    return [shlex.split(line) for line in told if line.strip() and not line.strip().startswith("#")]


def suggested(demo, verb_name, cwd):
    (words,) = [words for words in commands(demo) if verb_name in words]
    return run(words, cwd)


def run(words, cwd):
    program, *rest = words
    given = [str(ROOT / word) if word.startswith("fixtures/") else word for word in rest]
    return subprocess.run([ROOT / program, *given], cwd=cwd, capture_output=True, text=True, check=False)


def test_it_takes_about_a_minute(demo):
    assert demo.seconds < 240  # on a machine that does other things as well


def test_it_prints_what_came_out(demo):
    lake = Lake(str(demo.lake), load_config().lake)
    status = [row["status"] for row in lake.read("documents", columns=["status"]).to_pylist()]
    entities = lake.read("entities", columns=["row_id"]).num_rows

    (counted,) = re.findall(r"\n *(30) +(\d+) +(\d+) +(\d+) +0 +0\n", demo.stdout)
    assert [int(count) for count in counted] == [
        len(status),
        *(status.count(name) for name in ("extracted", "partial", "quarantined")),
    ]
    assert re.search(rf"\nentities +{entities}\n", demo.stdout)
    assert re.search(r"\nquarantined +input\.encrypted +2\n", demo.stdout)
    assert demo.stdout.count("  row   ") == 3
    assert demo.stdout.count("characters ") == 3
    assert f"The lake is the folder {demo.lake}" in demo.stdout


def test_no_library_speaks_during_the_demonstration(demo):
    assert all(re.match(r"\d+/\d+ documents, ", line) for line in demo.stderr.splitlines())


def test_the_commands_are_those_of_this_environment(demo):
    assert len(commands(demo)) == 6
    assert {ROOT / words[0] for words in commands(demo)} == {SCRIPT}


def test_the_suggested_run_adds_nothing(demo, tmp_path):
    before = sorted(demo.lake.rglob("*"))

    done = suggested(demo, "run", tmp_path)

    assert done.returncode == 0, done.stderr
    assert re.search(r"\n +28 +0 +0 +0 +28 +0\n", done.stdout)
    assert sorted(demo.lake.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "said", "written"),
    [
        ("query", r"measurement +\d+", None),
        ("show", r"extractor +ner@", "evidence.png"),
        ("quarantine", r"input\.encrypted +document +read", None),
        ("preview", "", "preview.html"),
        ("verify", r"\nclean\n$", None),
    ],
)
def test_the_other_suggestions_work_as_printed(name, said, written, demo, tmp_path):
    done = suggested(demo, name, tmp_path)

    assert done.returncode == 0, done.stderr
    assert re.search(said, done.stdout)
    assert {path.name for path in tmp_path.iterdir()} == ({written} if written else set())
    assert "nanobind" not in done.stderr


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.docx").write_bytes(b"years of work")

    assert verb.main("fixtures", str(tmp_path)) == 2
    assert (tmp_path / "thesis.docx").exists()
    assert "the folder for the lake holds something else" in capsys.readouterr().err
