"""The image: linted, without build tools, not run as root, made from named files only."""

import json
import re
import subprocess
import sysconfig
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def instructions():
    """(word, rest) of each instruction, continued lines joined, comments left out."""
    lines = [
        line
        for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line]


def stages():
    """Instructions of each stage, the build's own arguments first."""
    found = [[]]
    for word, rest in instructions():
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest))
    return found


def values(stage, word):
    return [rest for found, rest in stage if found == word]


@pytest.fixture
def final():
    return stages()[-1]


def test_hadolint_has_nothing_to_say():
    program = Path(sysconfig.get_path("scripts")) / "hadolint"
    said = subprocess.run([program, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)

    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_both_stages_stand_on_one_base_that_names_a_full_release():
    before, *built = stages()
    (argument,) = values(before, "ARG")

    assert re.fullmatch(r"PYTHON_IMAGE=docker\.io/library/python:3\.\d+\.\d+-slim-[a-z]+", argument)
    assert [values(stage, "FROM")[0].split()[0] for stage in built] == ["${PYTHON_IMAGE}"] * 2


def test_the_final_stage_has_no_compiler_no_headers_and_installs_nothing_with_pip(final):
    commands = " ".join(values(final, "RUN"))

    assert not re.search(
        r"\b(gcc|g\+\+|clang|make|cmake|build-essential|pip|git|curl|wget)\b|-dev\b", commands
    )
    assert re.findall(r"install .*?([a-z-]+=[^\s]+)", commands) == ["tesseract-ocr=5.3.0-2"]
    assert "rm -rf /var/lib/apt/lists/*" in commands


def test_the_environment_carries_no_package_installer():
    assert "python -m venv --without-pip /opt/extractor" in values(stages()[1], "RUN")


def test_the_process_is_a_fixed_number_that_is_not_root(final):
    (user,) = values(final, "USER")

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert f"--uid {user.split(':')[0]} " in " ".join(values(final, "RUN"))
    order = [word for word, _ in final]
    assert order.index("USER") > max(index for index, word in enumerate(order) if word in {"RUN", "COPY"})


def test_the_versions_installed_are_the_pinned_ones():
    build = stages()[1]

    assert "PIP_CONSTRAINT=/src/constraints.txt" in " ".join(values(build, "ENV"))
    assert any("--no-deps ." in command for command in values(build, "RUN"))


def test_the_image_runs_the_command_with_one_ocr_thread_no_bytecode_and_no_telemetry(final):
    (entrypoint,) = values(final, "ENTRYPOINT")
    environment = " ".join(values(final, "ENV"))

    assert json.loads(entrypoint) == ["extractor"]
    assert "OMP_THREAD_LIMIT=1" in environment
    assert "PYTHONDONTWRITEBYTECODE=1" in environment
    assert "HOME=/tmp" in environment
    assert "ORT_DISABLE_TELEMETRY=1" in environment


def test_the_build_sees_only_files_that_exist_and_that_are_named():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = {
        source
        for rest in values(stages()[1], "COPY")
        for source in (part.removeprefix("./") for part in rest.split()[:-1])
    }

    assert rules[0] == "*"
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)
    assert not any(
        fnmatch(name, secret)
        for name in allowed - {"fixtures/gold"}  # what the shipped acceptance criteria measure on
        for secret in ("*.env", "fixtures*", "tests*", ".git*")
    )


def test_the_licence_is_the_whole_text_of_the_agpl():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")

    assert text.splitlines()[0].strip() == "GNU AFFERO GENERAL PUBLIC LICENSE"
    assert "Version 3, 19 November 2007" in text
    assert [int(number) for number in re.findall(r"^  (\d+)\. [A-Z]", text, re.MULTILINE)] == list(range(18))
    assert text.rstrip().endswith("<https://www.gnu.org/licenses/>.")


def test_the_guide_names_the_user_and_the_entry_point(final):
    guide = (ROOT / "docs" / "container.md").read_text(encoding="utf-8")

    assert values(final, "USER")[0].split(":")[0] in guide
    assert "--read-only" in guide
