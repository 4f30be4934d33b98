"""A worker that dies, loses answers or meets a full disk where it is told to.

``python -m tests.faults.worker POINT N worker --queue URL ...``: the command line, in a process that starts
quickly and is killed as by a power cut at the N-th passing of POINT:

table    before a commit to any table of the lake
written  after such a commit, before the next one
ledger   after a batch is complete, before its messages are acknowledged
ack      after they were acknowledged
full     the N-th to the N+5th commit find no space on the device; nothing dies
never    no fault
"""

import errno
import os
import signal
import sys

from extractor import isolation
from extractor.cli import main


def _die():
    os.kill(os.getpid(), signal.SIGKILL)


def _counted(number, act):
    calls = 0

    def passing():
        nonlocal calls
        calls += 1
        if calls == number:
            act()

    return passing


def arm(point, number):
    """Put the fault in the place of the real thing."""
    from extractor.lake import delta
    from extractor.leases import Leases

    passing = _counted(number, _die)
    if point in {"table", "written", "full"}:
        real, calls = delta.write, 0

        def write(*arguments, **options):
            nonlocal calls
            calls += 1
            if point == "full" and number <= calls < number + 6:
                with delta.translated("table: commit failed"):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if point == "table":
                passing()
            version = real(*arguments, **options)
            if point == "written":
                passing()
            return version

        delta.write = write
    elif point in {"ledger", "ack"}:
        real_tend = Leases.tend

        def tend(self):
            answers = bool(self._done)
            if answers and point == "ledger":
                passing()
            real_tend(self)
            if answers and point == "ack":
                passing()

        Leases.tend = tend


if __name__ == "__main__":
    isolation._PRELOAD = []
    arm(sys.argv[1], int(sys.argv[2]))
    del sys.argv[1:3]
    main()
