"""Ray itself: a small one on this machine that nobody else can reach, or the cluster that RAY_ADDRESS names."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extractor.errors import ConfigError, ExtractorError, MissingToolError

if TYPE_CHECKING:
    from extractor.config import Config
    from extractor.pipeline import Part

_OBJECT_STORE_BYTES = 1024**3
"""Of a Ray that is started here; what is under way is held to a quarter of it (see ``ray_pool``)."""

_LONGEST_FOLDER = 30
"""Ray keeps Unix sockets below its folder, and their paths end at 107 bytes."""

_REMOVALS = 20
_ANSWER_S = 10.0

_EVERYWHERE = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_ENABLE_AUTO_CONNECT": "0",  # else a thread that comes late starts another one
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}
_HERE = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # else Ray takes this machine's address where 127.0.0.1 is asked for
    "RAY_AUTH_MODE": "token",  # others on this machine can reach loopback, and a Ray without a token runs their code
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What one actor of a stage asks of Ray, and how many there may be."""

    num_cpus: float
    num_gpus: float
    actors: int


def plan(config: Config, *, size: int, cpus: float, gpus: float) -> dict[Part, Resources]:
    """How ``size`` readers and as many finders share a cluster of ``cpus`` and ``gpus``.

    A reader and a finder share one core: whichever has work uses it. A stage
    whose configuration names a CUDA device has as many actors as there are GPUs
    for it; two such stages on one GPU have half of it each.

    Raises:
        MissingToolError: the configuration asks for a GPU, and the cluster has none.
    """
    size = max(1, min(size, int(cpus)))
    wanting: list[Part] = [part for part in ("read", "find") if _wants_gpu(config, part)]
    if wanting and gpus <= 0:
        raise MissingToolError("the configuration asks for a CUDA device, and Ray knows of no GPU")
    found: dict[Part, Resources] = {}
    for part in ("read", "find"):
        if part in wanting:
            share = 1.0 if gpus >= len(wanting) else gpus / len(wanting)
            actors = max(1, min(size, int(gpus / len(wanting) / share)))
            found[part] = Resources(num_cpus=0.5, num_gpus=share, actors=actors)
        else:
            found[part] = Resources(num_cpus=0.5, num_gpus=0.0, actors=size)
    return found


def _wants_gpu(config: Config, part: Part) -> bool:
    if part == "read":
        engines = {config.ocr.engine, config.ocr.second_engine}
        return any(
            options.get("provider") == "cuda"
            for name, options in config.ocr.engine_options.items()
            if name in engines
        )
    choices = (*config.extractors, *config.refiners, *config.relators)
    return any(str(choice.options.get("device", "")).startswith("cuda") for choice in choices)


@contextmanager
def session(*, cpus: int) -> Iterator[Any]:
    """The ``ray`` module, connected: to what this process uses already, to RAY_ADDRESS, or to one of its own.

    One of its own has ``cpus`` cores, listens on loopback alone, wants a token,
    and keeps its logs in a private folder that goes when it ends (with
    RAY_TMPDIR they lie there and stay).

    Raises:
        MissingToolError: Ray is not installed.
        ConfigError: RAY_ADDRESS is one that this engine cannot use.
        ExtractorError: Ray did not start.
    """
    address = os.environ.get("RAY_ADDRESS", "")
    if address not in {"", "auto"}:
        _check(address)
    ray = _library(local=not address)
    if ray.is_initialized():
        yield ray
        return
    folder = None if address or os.environ.get("RAY_TMPDIR") else _private_folder()
    own: dict[str, Any] = {}
    if not address:
        own = {
            "address": "local",
            "num_cpus": cpus,
            "object_store_memory": _OBJECT_STORE_BYTES,
            "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",
            "_temp_dir": folder,
        }
    before = signal.getsignal(signal.SIGTERM) or signal.SIG_DFL
    with redirect_stdout(sys.stderr):  # where Ray prints that processes died; stdout is for data
        try:
            _connect(ray, own)
            _on_sigterm(_leave if before is signal.SIG_DFL else before)  # Ray's own handler ends in an abort
            yield ray
        finally:
            ray.shutdown()
            _on_sigterm(before)
            if folder is not None:
                _remove(folder)


def _check(address: str) -> None:
    """Ray itself tries for many minutes where nobody answers."""
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdecimal():
        raise ConfigError("RAY_ADDRESS must be host:port or auto: Ray Data does not run through a Ray client")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise _failed(error) from None


def _failed(error: Exception) -> ExtractorError:
    return ExtractorError(
        f"Ray did not start or answer ({type(error).__name__})",
        code="ray.failed",
        hint="Operator: check RAY_ADDRESS and that the cluster runs; without it, room in memory and /dev/shm.",
    )


def _connect(ray: Any, own: dict[str, Any]) -> None:
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **own)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise _failed(error) from None


def _on_sigterm(handler: Any) -> None:
    if threading.current_thread() is threading.main_thread():  # no other may say so
        signal.signal(signal.SIGTERM, handler)


def _leave(number: int, _frame: object) -> None:
    """End the command as Ctrl-C does: by default agents of Ray would be left behind for a while."""
    sys.exit(128 + number)


def _library(*, local: bool) -> Any:
    """Ray, imported with our settings; some of them it looks at only then."""
    wanted = _EVERYWHERE | _HERE if local else _EVERYWHERE
    came_before = sys.modules.get("ray") is not None and not all(name in os.environ for name in wanted)
    if not came_before:
        for name, value in wanted.items():
            os.environ.setdefault(name, value)
        if local and os.environ["RAY_AUTH_MODE"] == "token":
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        import ray
        import ray.data
    except ModuleNotFoundError:
        raise MissingToolError(
            "the Ray engine needs the extra: pip install 'lifescience-extractor[ray]'"
        ) from None
    if came_before and local and not ray.is_initialized():
        raise ExtractorError(
            "Ray was imported before this engine could keep it to this machine",
            code="ray.failed",
            hint="Developer: let the engine import Ray, or call ray.init() before.",
        )
    logging.getLogger("ray").setLevel(logging.ERROR)
    told = logging.getLogger("ray.data")
    told.setLevel(logging.WARNING)  # its file gets some lines per task otherwise
    for handler in told.handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.CRITICAL)  # what ends the pipeline is an error of ours, or no error
    return ray


def _private_folder() -> str:
    base = tempfile.gettempdir()
    return tempfile.mkdtemp(prefix="xr-", dir=base if len(base) <= _LONGEST_FOLDER else "/tmp")  # noqa: S108  # mode 700


def _remove(folder: str) -> None:
    for _ in range(_REMOVALS):  # processes of Ray may write a last line while they end
        shutil.rmtree(folder, ignore_errors=True)
        if not Path(folder).exists():
            return
        time.sleep(0.1)
