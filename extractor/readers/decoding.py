"""Bytes to text: one rule for every text format.

A byte order mark decides. Without one: UTF-16 and UTF-32 show by where their
NUL bytes stand; then UTF-8 where it is valid (or so nearly valid that the few
wrong bytes are damage); else Windows-1252, whose five unassigned bytes are
read as Latin-1. Undecodable bytes become U+FFFD, never nothing.
"""

from __future__ import annotations

import codecs

BLANK_BYTES = b"\0 \t\r\n\f\v"
_SAMPLE_BYTES = 65_536
_UTF32_MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


def _latin(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("extractor_latin", _latin)


def encoding_of(content: bytes) -> tuple[str, str]:
    """The codec and the error handler that read ``content`` as text; never fails."""
    if content.startswith(codecs.BOM_UTF8):
        return "utf-8-sig", "replace"
    if content.startswith(_UTF32_MARKS):
        return "utf-32", "replace"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", "replace"
    wide = _wide_encoding(content[:_SAMPLE_BYTES])
    if wide is not None:
        return wide, "replace"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        if _is_damaged_utf8(content[:_SAMPLE_BYTES]):
            return "utf-8", "replace"
        return "cp1252", "extractor_latin"
    return "utf-8", "strict"


def decode_text(content: bytes) -> str:
    """``content`` as text, without its byte order mark; line ends as they are."""
    codec, errors = encoding_of(content)
    return content.decode(codec, errors)


def plain(text: str) -> str:
    r"""``text`` with one line end and without code points that no store keeps.

    ``\r\n`` and a lone ``\r`` become ``\n``. NUL (padding of fixed-width
    records) becomes a space and a lone surrogate U+FFFD, one for one. All
    else, other control characters included, stays verbatim.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        text = text.replace("\0", " ")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _wide_encoding(sample: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark: NUL bytes in some places of each unit and never in others."""
    sample = sample[: len(sample) // 4 * 4] if len(sample) >= 4 else sample[: len(sample) // 2 * 2]
    body = sample.rstrip(b"\0")  # padding at the end says nothing
    body = sample[: (len(body) + 3) // 4 * 4]
    if len(body) < 2 or b"\0" not in body:
        return None
    nuls = [body[place::4].count(0) / max(1, len(body[place::4])) for place in range(4)]
    if len(body) >= 4:
        if nuls[0] == 0 and nuls[2] > 0.9 and nuls[3] == 1:
            return _if_text(body, "utf-32-le")
        if nuls[3] == 0 and nuls[1] > 0.9 and nuls[0] == 1:
            return _if_text(body, "utf-32-be")
    low, high = (nuls[0] + nuls[2]) / 2, (nuls[1] + nuls[3]) / 2
    if low and high:
        return None
    # Few NULs are those of spaces between letters of other scripts, whose bytes
    # make no sense one by one; in a text that does they are padding or damage.
    controls = sum(1 for byte in body if byte < 32 and byte not in b"\0\t\n\v\f\r")
    if low + high < 0.4 and controls < len(body) / 20:
        return None
    return _if_text(body, "utf-16-le" if high else "utf-16-be")


def _if_text(sample: bytes, codec: str) -> str | None:
    """``codec`` if the sample reads as text in it: no control or unassigned characters to speak of."""
    unit = 4 if "32" in codec else 2
    text = sample[: len(sample) // unit * unit].decode(codec, "replace")
    strange = sum(
        1 for char in text if (char < " " and char not in "\t\n\r\f\v") or char in "\ufffd\ufffe\uffff"
    )
    return codec if strange <= len(text) / 50 else None


def _is_damaged_utf8(sample: bytes) -> bool:
    """Whether valid multi-byte sequences outnumber the wrong bytes ten to one."""
    text = sample.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    return wrong * 10 <= sum(1 for char in text if char > "\x7f") - wrong
