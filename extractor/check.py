"""``extractor check``: what must be there before a run, each with who must act."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from extractor.errors import ExtractorError, MissingToolError

_LIBRARIES = (
    "pymupdf",
    "tesserocr",
    "cv2",
    "spacy",
    "scispacy",
    "polars",
    "pyarrow",
    "deltalake",
    "duckdb",
    "lxml",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at: ``exit_code`` is 0 when it is fine."""

    subject: str
    exit_code: int
    detail: str
    hint: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "subject": self.subject,
            "ok": self.exit_code == 0,
            "detail": self.detail,
            "hint": self.hint,
        }


def check_all(config_path: str | None, lake_uri: str | None) -> list[Finding]:
    """Configuration, policy, libraries, models, engines, and the lake when one is named."""
    return list(_iter_findings(config_path, lake_uri))


def _iter_findings(config_path: str | None, lake_uri: str | None) -> Iterator[Finding]:
    from extractor.config import load_config, policy_path
    from extractor.governance.policy import load_policy

    try:
        config = load_config(config_path)
    except ExtractorError as error:
        yield _bad("configuration", error)
        return
    yield Finding(subject="configuration", exit_code=0, detail=f"settings {config.extraction_sha256()[:12]}")
    try:
        policy = load_policy(policy_path(config, config_path))
        yield Finding(
            subject="policy",
            exit_code=0,
            detail=f"{len(policy.roles)} roles, {len(policy.principals)} principals, rules {policy.sha256()[:12]}",
        )
    except ExtractorError as error:
        yield _bad("policy", error)
    yield from _libraries()
    yield from _models()
    yield from _engines(config)
    if lake_uri is not None:
        from extractor.lake.store import Lake

        try:
            lake = Lake(lake_uri, config.lake)
            state = (
                f"{len(lake.current())} documents" if lake.exists() else "no lake there yet; a run makes it"
            )
            yield Finding(subject="lake", exit_code=0, detail=state)
        except ExtractorError as error:
            yield _bad("lake", error)


def _libraries() -> Iterator[Finding]:
    for name in _LIBRARIES:
        try:
            module = importlib.import_module(name)
        except ImportError:
            yield _bad(f"library {name}", MissingToolError("it cannot be imported"))
        else:
            version = getattr(module, "__version__", "")
            yield Finding(subject=f"library {name}", exit_code=0, detail=str(version))


def _models() -> Iterator[Finding]:
    from extractor import resources

    try:
        base = resources.folder("models")
    except ExtractorError as error:
        yield _bad("models", error)
        return
    for path in sorted(base.glob("*/*/manifest.json")):
        name = f"{path.parent.parent.name}/{path.parent.name}"
        try:
            resources.model_folder(name)
        except ExtractorError as error:
            yield _bad(f"model {name}", error)
        else:
            yield Finding(
                subject=f"model {name}",
                exit_code=0,
                detail=f"sha256 {resources.model_sha256(path.parent)[:12]}",
            )


def _engines(config: Any) -> Iterator[Finding]:
    from extractor.pipeline import Engine

    try:
        models = Engine(config).warm()
    except ExtractorError as error:
        yield _bad("extractors and OCR", error)
    else:
        yield Finding(subject="extractors and OCR", exit_code=0, detail=", ".join(name for name, _ in models))


def _bad(subject: str, error: ExtractorError) -> Finding:
    return Finding(subject=subject, exit_code=error.exit_code, detail=str(error), hint=error.hint)
