"""Settings from YAML: closed sections, frozen, checked with "did you mean".

``configs/default.yaml`` comments every key and is always read first; a user's
file overrides single keys of it.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from extractor.errors import ConfigError
from extractor.lineage import fingerprint
from extractor.ports import ReadLimits
from extractor.resources import folder


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limits(_Section):
    """Bounds per document, page and worker process."""

    document_time_s: float = Field(gt=0)
    page_time_s: float = Field(gt=0)
    worker_memory_mb: int = Field(ge=256)
    max_file_bytes: int = Field(gt=0)
    max_pages: int = Field(gt=0)
    max_page_pixels: int = Field(gt=0)
    max_page_side_pt: float = Field(gt=0)
    max_expanded_bytes: int = Field(gt=0)
    max_attachments: int = Field(ge=0)
    max_attachment_depth: int = Field(ge=0)
    max_page_crashes: int = Field(ge=0)
    documents_per_worker: int = Field(gt=0)

    def for_reading(self) -> ReadLimits:
        """The part of the limits that readers keep."""
        return ReadLimits(
            max_pages=self.max_pages,
            max_page_pixels=self.max_page_pixels,
            max_expanded_bytes=self.max_expanded_bytes,
            max_page_side_pt=self.max_page_side_pt,
            max_attachments=self.max_attachments,
        )


class Ocr(_Section):
    """Which engines read scanned pages, and when a page counts as poor."""

    engine: str
    second_engine: str | None
    engine_options: dict[str, dict[str, Any]]
    gate: dict[str, float]


class Choice(_Section):
    """One extractor, refiner or relator by registry name, with the options of its constructor."""

    name: str
    options: dict[str, Any] = {}


class PathRule(_Section):
    """Governance for documents whose address matches a glob; the first match wins."""

    glob: str
    entry: dict[str, str]


class Inventory(_Section):
    """Governance attributes for documents that no manifest names."""

    rules: tuple[PathRule, ...]


class LakeSettings(_Section):
    """How rows are committed."""

    batch_documents: int = Field(gt=0)
    batch_pages: int = Field(gt=0)
    batch_seconds: float = Field(gt=0)
    commit_retries: int = Field(ge=0)
    storage_options: dict[str, str]
    target_file_mb: int = Field(gt=0)
    vacuum_hours: int = Field(ge=0)


class Sources(_Section):
    """How object stores are reached for reading."""

    storage_options: dict[str, str]


class Worker(_Section):
    """How a worker takes documents from a queue (``extractor worker``)."""

    lease_s: float = Field(gt=0)
    max_tries: int = Field(ge=1)
    retry_delay_s: float = Field(ge=0)
    retry_delay_max_s: float = Field(ge=0)
    in_flight_documents: int = Field(gt=0)
    in_flight_pages: int = Field(gt=0)
    in_flight_mb: int = Field(gt=0)
    tenant_documents: int = Field(gt=0)
    drain_s: float = Field(ge=0)


class Telemetry(_Section):
    """What a worker tells about itself: logs, metrics and traces; ids, codes and numbers only."""

    log_format: Literal["text", "json"]
    host: str
    port: int = Field(ge=0, le=65535)
    traces: Literal["none", "console", "otlp"]


class Reprocess(_Section):
    """How stored documents are run through a newer pipeline (``extractor reprocess``)."""

    batch_documents: int = Field(gt=0)
    batch_rows: int = Field(gt=0)


class Config(_Section):
    """All settings of one deployment."""

    limits: Limits
    readers: dict[str, str]
    ocr: Ocr
    extractors: tuple[Choice, ...]
    refiners: tuple[Choice, ...]
    relators: tuple[Choice, ...]
    inventory: Inventory
    lake: LakeSettings
    sources: Sources
    worker: Worker
    telemetry: Telemetry
    reprocess: Reprocess
    policy: str
    plugins: tuple[str, ...]
    log_level: Literal["debug", "info", "warning", "error"]

    def extraction_sha256(self) -> str:
        """Digest of the settings that can change a row: limits of reading, OCR, extractors, plugins."""
        limits = self.limits.model_dump()
        for name in ("documents_per_worker", "worker_memory_mb"):
            del limits[name]
        return fingerprint(
            {
                "limits": limits,
                "readers": self.readers,
                "ocr": self.ocr.model_dump(),
                "extractors": [choice.model_dump() for choice in self.extractors],
                "refiners": [choice.model_dump() for choice in self.refiners],
                "relators": [choice.model_dump() for choice in self.relators],
                "plugins": self.plugins,
            },
        )


def load_config(path: str | Path | None = None, *, overrides: dict[str, Any] | None = None) -> Config:
    """Default settings, with those of ``path`` and then ``overrides`` laid over them.

    Raises:
        ConfigError: a file is missing or no YAML, a key is unknown or a value out of bounds.
    """
    merged = _read(folder("configs") / "default.yaml")
    if path is not None:
        merged = _merge(merged, _read(Path(path)), where="")
    if overrides:
        merged = _merge(merged, overrides, where="")
    try:
        return Config.model_validate(merged)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"setting {key}: {first['msg']}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError("the configuration file does not exist") from None
    except (OSError, UnicodeDecodeError):
        raise ConfigError("the configuration file cannot be read") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        raise ConfigError(f"the configuration file is no valid YAML{line}") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ConfigError("the configuration file must hold sections, each with keys")
    return found


_OPEN_KEYS = ("readers", "ocr.engine_options", "ocr.gate", "lake.storage_options", "sources.storage_options")


def _merge(base: dict[str, Any], over: dict[str, Any], *, where: str) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        name = f"{where}{key}"
        is_open = any(name.startswith(f"{prefix}.") for prefix in _OPEN_KEYS)
        if key not in base and not is_open:
            near = get_close_matches(str(key), [str(known) for known in base], n=1)
            hint = f"; did you mean {where}{near[0]!s}?" if near else f"; known: {', '.join(map(str, base))}"
            raise ConfigError(f"unknown setting {name}{hint}")
        if isinstance(base.get(key), dict) and isinstance(value, dict):
            merged[key] = _merge(base[key], value, where=f"{name}.")
        else:
            merged[key] = value
    return merged


def policy_path(config: Config, config_path: str | Path | None) -> Path:
    """Where the policy lies: absolute, beside the user's configuration, or among the default ones."""
    named = Path(config.policy)
    if named.is_absolute():
        return named
    if config_path is not None and (beside := Path(config_path).resolve().parent / named).exists():
        return beside
    return folder("configs") / named
