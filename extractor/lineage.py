"""What is needed to repeat a run: settings, code and models, each by digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4


def digest(*parts: object) -> str:
    """sha256 over the parts' texts, parted so that no two lists of parts give the same bytes."""
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()


def fingerprint(settings: Mapping[str, Any]) -> str:
    """sha256 of settings as canonical JSON: equal settings, equal digest, whatever their order."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """The identity of a way of extracting: code version, extraction settings, model digests.

    Settings that cannot change a row (worker counts, addresses) stay outside.
    """

    code_version: str
    config_sha256: str
    models: tuple[tuple[str, str], ...] = ()
    """(name@version, sha256) of each model, rule pack and vocabulary, sorted by name."""

    @property
    def version(self) -> str:
        """Code version and the first 12 digits of the pipeline's digest, as stored with each row."""
        return f"{self.code_version}+{digest(self.code_version, self.config_sha256, *self.models)[:12]}"

    def extraction_id(self, doc_id: str) -> str:
        """The name of what this pipeline makes of a document: equal input, equal id."""
        return digest(doc_id, self.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One start of the engine over a list of documents."""

    pipeline: Pipeline
    run_id: str = field(default_factory=lambda: uuid4().hex)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
