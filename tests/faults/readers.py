"""Readers that break one thing each, for plain text whose pages are parted by form feeds.

They read like the real one but for a page that says what it does:
``CRASH`` kills the process, ``HANG`` never returns, ``EAT`` takes memory
without end, ``RAISE`` raises what nobody expects (quoting the text),
``REFUSE`` is a page failure, ``PARTLY`` a page that is read in part, and ``SHOUT`` prints the text as C libraries print.
"""

import os
import signal
import time

from extractor.document import Page, PageFailure, Word


class FaultyReader:
    def open(self, content, *, media_type, limits):
        return _Reading(content.decode(), media_type)


class _Reading:
    def __init__(self, text, media_type):
        self._pages = text.split("\f")
        self.media_type = media_type
        self.page_count = len(self._pages)

    def pages(self, skip=()):
        for page_no, text in enumerate(self._pages, 1):
            if page_no not in skip:
                yield self._page(page_no, text)
                if "PARTLY" in text:
                    yield PageFailure(page_no=page_no, code="input.page_damaged")

    def _page(self, page_no, text):
        if "CRASH" in text:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "HANG" in text:
            while True:
                time.sleep(1)
        if "EAT" in text:
            hoard = []
            while True:
                hoard.append(bytearray(64 * 1024 * 1024))
        if "RAISE" in text:
            raise RuntimeError(text)
        if "REFUSE" in text:
            return PageFailure(page_no=page_no, code="input.corrupt")
        if "SHOUT" in text:
            os.write(1, text.encode())
            os.write(2, text.encode())
        return Page(page_no=page_no, words=tuple(Word(text=word) for word in text.split()))

    def attachments(self):
        return iter(())

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass
