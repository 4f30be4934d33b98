"""Where weights, vocabularies and default configuration lie.

Looked for in this order: the environment variables ``EXTRACTOR_MODELS`` and
``EXTRACTOR_CONFIGS``, the checkout this package stands in, the data inside the
installed wheel. Every model folder carries a ``manifest.json`` with the sha256
of each of its files.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from extractor.errors import MissingToolError
from extractor.records import Maker

_PACKAGE = Path(__file__).resolve().parent


def folder(kind: str) -> Path:
    """The folder of ``models`` or ``configs``.

    Raises:
        MissingToolError: none of the places has it.
    """
    setting = f"EXTRACTOR_{kind.upper()}"
    chosen = os.environ.get(setting)
    places = [Path(chosen)] if chosen else [_PACKAGE.parent / kind, _PACKAGE / "_data" / kind]
    for place in places:
        if place.is_dir():
            return place
    raise MissingToolError(f"no {kind} folder; set {setting} to the folder that holds them")


@cache
def model_folder(name: str) -> Path:
    """The folder ``models/<name>/<version>`` of the newest version of a model, manifest checked.

    ``name`` may be ``name`` or ``name/version``. Versions sort as text.

    Raises:
        MissingToolError: no such model, or a file differs from its manifest.
    """
    base = folder("models") / name
    if not (base / "manifest.json").is_file():
        versions = sorted(path.parent for path in base.glob("*/manifest.json")) if base.is_dir() else []
        if not versions:
            raise MissingToolError(f"model {name!r} is not installed", code="tool.model")
        base = versions[-1]
    for file, digest in manifest(base)["files"].items():
        path = base / file
        if not path.is_file() or file_sha256(path) != digest:
            raise MissingToolError(f"model {name!r}: {file} is absent or altered", code="tool.model")
    return base


def manifest(path: Path) -> dict[str, Any]:
    """The manifest of a model folder: name, version, licence, source, files {name: sha256}."""
    found: dict[str, Any] = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    return found


@cache
def model_sha256(path: Path) -> str:
    """The digest that pins a model: sha256 of its manifest, which pins every file."""
    return file_sha256(path / "manifest.json")


def maker_of(path: Path, *, extractor: str, version: str) -> Maker:
    """The maker of rows whose extractor reads the model folder ``path``, pinned by its manifest."""
    described = manifest(path)
    return Maker(
        extractor=extractor,
        version=version,
        model=described["name"],
        model_version=described["version"],
        model_sha256=model_sha256(path),
    )


def write_manifest(path: Path, described: Mapping[str, Any]) -> Path:
    """Write ``manifest.json`` of a model folder: ``described`` and the digest of every other file; gives its path."""
    digests = {
        file.name: file_sha256(file)
        for file in sorted(path.iterdir())
        if file.is_file() and file.name != "manifest.json"
    }
    text = json.dumps({**described, "files": digests}, indent=2, ensure_ascii=False) + "\n"
    (path / "manifest.json").write_text(text, encoding="utf-8")
    return path / "manifest.json"


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes, as hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
