"""Processes of their own for hostile bytes: the server they are forked from, and short work without models."""

from __future__ import annotations

import contextlib
import fcntl
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import TypeVar

from extractor.errors import CrashError, ExtractorError, MemoryLimitError, TimeLimitError

Item = TypeVar("Item")

_START_S = 60.0
_GRACE_S = 5.0
_PRELOAD = ["extractor.warm"]


def start_fork_server() -> None:
    """Start the process that workers are forked from, unless it runs; it loads libraries while the caller goes on.

    Ctrl-C reaches only the caller, which stops its workers itself.
    """
    os.environ["OMP_THREAD_LIMIT"] = (
        "1"  # one process per core: more threads would only get in each other's way
    )
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    multiprocessing.set_forkserver_preload(_PRELOAD)
    resource_tracker.ensure_running()  # first: it lets the signal through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent() -> None:
    """Let the kernel end this process when the one that asked for it is gone, even in the midst of a library's work.

    Its end closes the pipe that the child holds as its sentinel, the kernel
    says so by a signal (O_ASYNC), and nobody catches that. So no worker goes on
    without somebody to keep its limits, whatever ended the command.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    sentinel = parent.sentinel
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(sentinel, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(sentinel, fcntl.F_SETFL, fcntl.fcntl(sentinel, fcntl.F_GETFL) | os.O_ASYNC)
    if wait([sentinel], timeout=0):  # gone before the line above
        os._exit(1)


def confine(memory_mb: int) -> None:
    """Hold this process to what a child that reads hostile bytes may do.

    It ends with its parent, leaves Ctrl-C to it, has ``memory_mb`` of data
    memory and dumps no core; what libraries print on stdout or stderr is
    dropped, since it may quote the document.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    void = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(void, descriptor)
    os.close(void)
    limit = memory_mb * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def iter_isolated(
    make: Callable[..., Iterable[Item]], *arguments: object, item_time_s: float, memory_mb: int
) -> Iterator[Item]:
    """The items that ``make(*arguments)`` yields in a child process, as they come.

    ``make`` is a function of a module, its arguments and items can be pickled.
    The child has ``memory_mb`` of data memory and may take ``item_time_s`` for
    each item; what libraries print there is dropped, since it may quote the
    document.

    Raises:
        TimeLimitError: an item took too long; the child was stopped.
        MemoryLimitError: the child ran out of memory.
        CrashError: the child died.
        ExtractorError: what ``make`` raised.
    """
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(theirs, make, arguments, memory_mb), daemon=True)
    process.start()
    theirs.close()
    limit_s = _START_S  # the first message says that the child is ready
    try:
        while True:
            if not ours.poll(limit_s):
                raise TimeLimitError("a process of its own was stopped")
            kind, value = ours.recv()
            if kind == "end":
                return
            if kind == "failed":
                raise value
            if kind == "item":
                yield value
            limit_s = item_time_s
    except (EOFError, OSError):
        process.join(timeout=_GRACE_S)
        raise CrashError(f"a process of its own ended with exit code {process.exitcode}") from None
    finally:
        ours.close()
        if process.is_alive():
            process.kill()
        process.join(timeout=_GRACE_S)


def _serve(
    link: Connection,
    make: Callable[..., Iterable[object]],
    arguments: tuple[object, ...],
    memory_mb: int,
) -> None:
    confine(memory_mb)
    with contextlib.suppress(BrokenPipeError):  # the parent has heard enough
        link.send(("ready", None))
        try:
            for item in make(*arguments):
                link.send(("item", item))
        except ExtractorError as error:
            link.send(("failed", error))
        except MemoryError:
            link.send(("failed", MemoryLimitError()))
        else:
            link.send(("end", None))
