"""The commands of the README do what it says, run on the shipped documents."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "fixtures"
DOCUMENTS = {
    "report.pdf": "batch_record/executed_batch_record.pdf",
    "note.txt": "clinical/progress_note.txt",
    "locked.pdf": "hostile/encrypted.pdf",
}


def readme_lines():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("extractor "):
                yield line.split("  #")[0].strip()


def run_all(here):
    """(words, outcome) of every command of the README in its order, run in a folder with documents and a manifest."""
    (here / "DOCUMENTS").mkdir()
    for name, origin in DOCUMENTS.items():
        shutil.copy(FIXTURES / origin, here / "DOCUMENTS" / name)
    shutil.copytree(FIXTURES / "gold", here / "fixtures" / "gold")
    (here / "manifest.csv").write_text(
        "path,record_type,classification,consent_scope\n"
        "DOCUMENTS/report.pdf,batch record,non-human,unrestricted\n"
    )
    row_id = ""
    for line in readme_lines():
        words = shlex.split(line.replace("ROW_ID", row_id))[1:]
        done = subprocess.run(
            [sys.executable, "-m", "extractor", *words],
            cwd=here, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        yield words, done
        row_id = row_id or drug_row(here / "lake")


def drug_row(lake):
    from extractor.config import load_config
    from extractor.lake.store import Lake

    where = "type = 'drug' AND classification = 'non-human'"
    rows = Lake(str(lake), load_config().lake).read("entities", columns=["row_id"], where=where)
    return rows["row_id"][0].as_py()[:12]


def of(said, *start):
    (found,) = [done for words, done, _ in said if words[: len(start)] == list(start)]
    return found


def test_the_commands_of_the_readme_do_what_it_says(tmp_path):
    said = {}
    for words, done in run_all(tmp_path):
        assert done.returncode == 0, (words, done.stderr)
        for noise in ("nanobind", "Warning", "Traceback"):
            assert noise not in done.stderr, words
        said[words[0]] = done.stdout

    assert list(said) == [
        *(
            "run",
            "query",
            "show",
            "documents",
            "quarantine",
            "verify",
            "enqueue",
            "worker",
            "queue",
            "evaluate",
        ),
    ]
    assert re.search(r"\n +3 +2 +0 +1 +0 +0\n", said["run"])
    assert "Bisoprolol Fumarate" in said["query"]
    assert "Atorvastatin" not in said["query"], "the note is of the strictest class"
    assert said["show"].startswith("row")
    assert (tmp_path / "evidence.png").read_bytes().startswith(b"\x89PNG")
    assert "non-human" in said["documents"]
    assert "input.encrypted" in said["quarantine"]
    assert said["verify"].endswith("clean\n")
    assert said["enqueue"] == "3 documents added\n"
    assert re.search(r"\n +3 +0 +0 +0 +3 +0\n", said["worker"]), "all three are current after the run"
    assert re.search(r"ready +0\n", said["queue"])
    assert "engine on 5 documents" in said["evaluate"]
