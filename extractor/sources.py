"""Where documents come from: files, folders, globs and object-store prefixes.

The order is that of the arguments, and by name inside each. Files and folders
whose names begin with a dot are not documents. Messages name a source by its
place among the arguments: addresses may hold names of people.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extractor.errors import ConfigError, InputError, LimitError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem


@dataclass(frozen=True, slots=True)
class Source:
    """One document at its absolute path or URI."""

    address: str
    byte_count: int
    store: Any = None  # a pyarrow FileSystem, or None for a local path
    key: str = ""

    def read(self, *, max_bytes: int) -> bytes:
        """All bytes of the document.

        Raises:
            LimitError: more than ``max_bytes``.
            InputError: it is gone, or may not be read.
        """
        if self.byte_count > max_bytes:
            raise LimitError(
                f"{self.byte_count} bytes are more than limits.max_file_bytes allows", code="limit.bytes"
            )
        try:
            if self.store is None:
                return Path(self.address).read_bytes()
            with self.store.open_input_file(self.key) as stream:
                return bytes(stream.read())
        except OSError as error:
            raise InputError(
                f"the source cannot be read ({type(error).__name__})",
                code="input.unreadable",
                hint="Operator: check that the source still exists and that the engine may read it.",
            ) from None


def find_sources(specs: Sequence[str], *, storage_options: Mapping[str, str] | None = None) -> list[Source]:
    """Every document that the arguments name, each once, in a stable order.

    Raises:
        ConfigError: an argument names nothing, or its store cannot be reached.
    """
    found: dict[str, Source] = {}
    for number, spec in enumerate(specs, 1):
        where = f"source {number} of {len(specs)}"
        iterator = (
            _iter_store(spec, where, dict(storage_options or {}))
            if "://" in spec and not spec.startswith("file://")
            else _iter_local(spec.removeprefix("file://"), where)
        )
        count = 0
        for source in iterator:
            found.setdefault(source.address, source)
            count += 1
        if count == 0:
            raise ConfigError(f"{where} holds no document")
    return list(found.values())


def source_at(address: str, *, storage_options: Mapping[str, str] | None = None) -> Source:
    """The document at one absolute path or object-store URI; whether it is there shows when it is read.

    Raises:
        InputError: the store cannot be reached.
    """
    if "://" not in address or address.startswith("file://"):
        path = Path(address.removeprefix("file://"))
        return Source(str(path), path.stat().st_size if path.is_file() else 0)
    import pyarrow as pa

    scheme, _, rest = address.partition("://")
    try:
        store, key = _store_of(scheme, rest, tuple(sorted(dict(storage_options or {}).items())))
        size = store.get_file_info(key).size
    except (OSError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(
            f"the object store cannot be read ({type(error).__name__})",
            code="input.unreadable",
            hint="Operator: check the store, its credentials and sources.storage_options.",
        ) from None
    return Source(address, size or 0, store, key)


def _store_of(scheme: str, rest: str, options: tuple[tuple[str, str], ...]) -> tuple[Any, str]:
    """As :func:`_open_store`; the stores of S3, which take long to open, are kept."""
    if scheme in {"s3", "s3a"}:
        return _s3(options), rest
    return _open_store(scheme, rest, dict(options))


@cache
def _s3(options: tuple[tuple[str, str], ...]) -> Any:
    return _open_store("s3", "", dict(options))[0]


def _iter_local(spec: str, where: str) -> Iterator[Source]:
    path = Path(spec)
    if path.is_dir():
        yield from _iter_folder(path)
    elif path.exists():
        yield _local(path)
    elif any(sign in spec for sign in "*?["):
        for match in sorted(glob.glob(spec, recursive=True)):  # noqa: PTH207  # absolute patterns too
            if Path(match).is_file():
                yield _local(Path(match))
    else:
        raise ConfigError(f"{where} does not exist")


def _iter_folder(folder: Path) -> Iterator[Source]:
    for base, names, files in os.walk(folder):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for file in sorted(files):
            path = Path(base, file)
            if not file.startswith(".") and path.is_file():
                yield _local(path)


def _local(path: Path) -> Source:
    absolute = path.resolve()
    return Source(str(absolute), absolute.stat().st_size)


def _iter_store(spec: str, where: str, options: dict[str, str]) -> Iterator[Source]:
    import pyarrow as pa
    from pyarrow.fs import FileSelector, FileType

    scheme, _, rest = spec.partition("://")
    try:
        store, key = _open_store(scheme, rest, options)
        info = store.get_file_info(key.rstrip("/"))
        infos = [info]
        if info.type != FileType.File:
            infos = store.get_file_info(FileSelector(key.rstrip("/"), recursive=True, allow_not_found=True))
    except (OSError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ConfigError(
            f"{where}: the object store cannot be read ({type(error).__name__})",
            hint="Operator: check the address, credentials and sources.storage_options.",
        ) from None
    for info in sorted(infos, key=lambda one: one.path):
        if info.type == FileType.File and not info.base_name.startswith("."):
            yield Source(f"{scheme}://{info.path}", info.size, store, info.path)


def _open_store(scheme: str, rest: str, options: dict[str, str]) -> tuple[FileSystem, str]:
    from pyarrow.fs import FileSystem, S3FileSystem

    if scheme in {"s3", "s3a"}:
        settings: dict[str, Any] = dict(options)
        if "anonymous" in settings:
            settings["anonymous"] = str(settings["anonymous"]).lower() == "true"
        return S3FileSystem(**settings), rest
    store, key = FileSystem.from_uri(f"{scheme}://{rest}")
    return store, key
