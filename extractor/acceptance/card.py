"""What a model folder declares of itself: its name and digest, what it is for, how much hangs on it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extractor import resources
from extractor.errors import ConfigError, MissingToolError, PolicyError

CARD = "card.md"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HEADING = re.compile(r"^#{1,6}\s")
_INTENDED_USE = re.compile(r"^#{1,6}\s*intended use\b", re.IGNORECASE)
_RISK_CLASS = re.compile(r"\*\*risk class:?\*\*:?\s*([^.;]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A model folder whose files were checked against its manifest; uses are None where nothing is declared."""

    name: str
    version: str
    sha256: str
    intended_use: str | None
    risk_class: str | None

    @property
    def model(self) -> str:
        """``name/version``, as commands take it."""
        return f"{self.name}/{self.version}"


def parse_model(text: str) -> tuple[str, str | None]:
    """Name and version of ``NAME`` or ``NAME/VERSION``.

    Raises:
        ConfigError: it is neither.
    """
    name, slash, version = text.partition("/")
    if not _NAME.fullmatch(name) or (slash and not _NAME.fullmatch(version)):
        raise ConfigError(
            f"{text!r} names no model of the models folder", hint="You: write NAME or NAME/VERSION."
        )
    return name, version or None


def read_declared(model: str) -> Declared:
    """What the folder of ``NAME`` (its newest version) or ``NAME/VERSION`` declares.

    The manifest's keys ``intended_use`` and ``risk_class`` speak first, then the
    card: the first paragraph under a heading that begins with "Intended use", and
    what follows "**Risk class:**" up to a full stop or semicolon.

    Raises:
        ConfigError: ``model`` is no such name.
        MissingToolError: the model is not installed, or a file differs from the manifest.
        PolicyError: ``model.undeclared``: the manifest names another model, or covers no card.
    """
    name, version = parse_model(model)
    folder = resources.model_folder(model)
    manifest = resources.manifest(folder)
    named = (manifest.get("name"), manifest.get("version"))
    if named != (name, version or folder.name):
        raise _undeclared(f"the manifest of {name}/{version or folder.name} names another model or version")
    if CARD not in manifest["files"]:
        raise _undeclared(f"model {name}/{folder.name} has no {CARD} that its manifest covers")
    intended_use, risk_class = _uses(manifest, _card(folder))
    return Declared(
        name=name,
        version=folder.name,
        sha256=resources.model_sha256(folder),
        intended_use=intended_use,
        risk_class=risk_class,
    )


def _undeclared(detail: str) -> PolicyError:
    return PolicyError(
        detail, code="model.undeclared", hint="Owner of the model: put it right and write the manifest again."
    )


def _card(folder: Path) -> str:
    try:
        return (folder / CARD).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise MissingToolError("the model's card cannot be read", code="tool.model") from None


def _uses(manifest: Mapping[str, Any], card: str) -> tuple[str | None, str | None]:
    paragraph = _intended_paragraph(card)
    risk = _RISK_CLASS.search(" ".join(card.split()))
    declared = (
        manifest.get("intended_use") or _RISK_CLASS.split(paragraph)[0],
        manifest.get("risk_class") or (risk[1] if risk else ""),
    )
    intended_use, risk_class = (" ".join(str(text).split()) or None for text in declared)
    return intended_use, risk_class


def _intended_paragraph(card: str) -> str:
    """The first paragraph of the card's section about its intended use; empty where there is none."""
    lines = iter(card.splitlines())
    for line in lines:
        if _INTENDED_USE.match(line):
            break
    found: list[str] = []
    for line in lines:
        if _HEADING.match(line) or (found and not line.strip()):
            break
        if line.strip():
            found.append(line)
    return " ".join(" ".join(found).split())


def same_words(one: str, other: str) -> bool:
    """Whether two declarations are equal but for case and white space."""
    return one.casefold().split() == other.casefold().split()
