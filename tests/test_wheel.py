"""The wheel: it carries what the engine needs and nothing else, and works without the checkout."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel made from a copy of the sources, so that the checkout stays as it is."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in ("extractor", "models", "configs", "fixtures/gold"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = out.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def command(unpacked, cwd, *words):
    """Python with the unpacked wheel, far from the checkout."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("EXTRACTOR_", "PYTHON", "COV_"))
    }
    return subprocess.run(
        [sys.executable, "-P", *words],
        cwd=cwd, env={**environment, "PYTHONPATH": str(unpacked)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_wheel_holds_the_package_its_models_and_its_settings_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}

    expected = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "extractor").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    for kind in ("models", "configs", "fixtures/gold"):
        expected |= {
            f"extractor/_data/{path.relative_to(ROOT).as_posix()}"
            for path in (ROOT / kind).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
    assert names == expected


def test_the_wheel_carries_its_licence_and_its_command(unpacked):
    (info,) = unpacked.glob("*.dist-info")

    assert (info / "licenses" / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert "extractor = extractor.cli:main" in (info / "entry_points.txt").read_text()
    assert "License-Expression: AGPL-3.0-or-later" in (info / "METADATA").read_text()


def test_the_package_that_runs_is_that_of_the_wheel(unpacked, tmp_path):
    code = "from extractor import resources; print(resources.folder('models'))"

    done = command(unpacked, tmp_path, "-c", code)

    assert Path(done.stdout.strip()) == unpacked / "extractor" / "_data" / "models", done.stderr


def test_check_is_content_outside_the_checkout(unpacked, tmp_path):
    done = command(unpacked, tmp_path, "-m", "extractor", "check", "--json")

    assert done.returncode == 0, done.stdout + done.stderr
    assert all(finding["ok"] for finding in json.loads(done.stdout))
    assert done.stderr == ""


def test_a_scan_is_read_outside_the_checkout(unpacked, tmp_path):
    """One page with OCR and vocabulary: Tesseract's data and the terms come out of the wheel."""
    from PIL import Image

    with Image.open(ROOT / "fixtures" / "clinical" / "discharge_letter.tif") as letter:
        letter.crop((0, 0, letter.width, letter.height // 2)).save(tmp_path / "page.png", dpi=(200, 200))

    done = command(unpacked, tmp_path, "-m", "extractor", "text", "page.png", "--json")

    assert done.returncode == 0, done.stderr
    (page,) = json.loads(done.stdout)["pages"]
    assert "tesser" in page["source"]
    assert "DISCHARGE LETTER" in page["text"]
