"""Faults of the Ray engine: a document that kills the actor that is at it, documents that take their time."""

from __future__ import annotations

import contextlib
import time

import psutil

from tests.faults.readers import FaultyReader


class ActorFaults(FaultyReader):
    """Reads like :class:`FaultyReader`; ``ACTOR`` kills the Ray actor around this process, ``SLOW`` takes a moment."""

    def open(self, content, *, media_type, limits):
        if b"SLOW" in content:
            time.sleep(0.1)
        if b"ACTOR" in content:
            for process in psutil.Process().parents():
                if process.name().startswith("ray::MapWorker"):
                    process.kill()
                    time.sleep(60)  # this process ends with it
        return super().open(content, media_type=media_type, limits=limits)


def find_process(title, *, below):
    """The Ray process below a process whose title begins so; None when there is none now."""
    for process in psutil.Process(below).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if process.name().startswith(title):
                return process
    return None


def listening(below):
    """The addresses on which the processes below a process listen."""
    found = set()
    for process in psutil.Process(below).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            found |= {
                connection.laddr.ip
                for connection in process.net_connections("inet")
                if connection.status == "LISTEN"
            }
    return found
