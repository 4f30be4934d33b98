"""E-mail: the headers a reader sees, the body, and every other part as an attachment.

Headers From, To, Cc, Date and Subject stand as key-values, decoded, in this
order. Of alternatives the plain text is the body, or the HTML when the plain
text is blank; several inline texts follow one another, as mail programs show
them. Attached files, inline pictures and attached messages are documents of
their own, byte for byte as sent once the transfer encoding is undone.
"""

from __future__ import annotations

import binascii
import email
import email.errors
import email.header
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage, Message

from extractor.errors import CorruptError, EncryptedError, LimitError
from extractor.ports import Reading, ReadLimits
from extractor.readers.decoding import BLANK_BYTES, decode_text, plain
from extractor.readers.flow import FlowBuilder, FlowReading, check_expanded
from extractor.readers.lines import text_page
from extractor.readers.markup import add_html, html_text

_SHOWN = ("From", "To", "Cc", "Date", "Subject")
_MAX_DEPTH = 50
_POLICY = policy.default.clone(refold_source="none")
_PARSE_ERRORS = (
    email.errors.MessageError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    binascii.Error,
)
_ENCRYPTED = {"multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"}


@dataclass(slots=True)
class _Parts:
    """What a message holds: its body texts (text, is_html) and its other parts."""

    body: list[tuple[str, bool]] = field(default_factory=list)
    attached: list[bytes] = field(default_factory=list)


class EmailReader:
    """Reads ``message/rfc822``: one page, and attachments."""

    def open(self, content: bytes, *, media_type: str, limits: ReadLimits) -> Reading:
        check_expanded(len(content), limits)
        try:
            message = email.message_from_bytes(content.lstrip(b"\xef\xbb\xbf\r\n"), policy=_POLICY)
        except RecursionError:
            raise LimitError("parts nested too deep", code="limit.depth") from None
        except _PARSE_ERRORS:
            raise CorruptError("the message cannot be parsed") from None
        _refuse_encrypted(message)
        parts = _Parts()
        _collect(message, parts, 0)
        if len(parts.attached) > limits.max_attachments:
            raise LimitError("more attachments than limits.max_attachments allows", code="limit.attachments")
        builder = FlowBuilder(1)
        for name in _SHOWN:
            for value in _header(message, name):
                if value:
                    builder.add(f"{name}: {value}", "key_value", gap="\n")
        for text, is_html in parts.body:
            if is_html:
                add_html(text, builder)
            else:
                builder.add_page(text_page(plain(text), page_no=1, markdown=False))
        page = builder.page()
        return FlowReading(
            media_type=media_type,
            page_count=1,
            make_pages=lambda: (page,),
            make_attachments=lambda: iter(parts.attached),
        )


def _refuse_encrypted(message: Message) -> None:
    kind = message.get_content_type()
    if kind in _ENCRYPTED and (
        kind == "multipart/encrypted" or _parameter(message, "smime-type") != "signed-data"
    ):
        raise EncryptedError("the message is encrypted")


def _parameter(message: Message, name: str) -> str:
    try:
        return str(message.get_param(name, "")).lower()
    except _PARSE_ERRORS:
        return ""


def _collect(part: Message, parts: _Parts, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise LimitError("parts nested too deep", code="limit.depth")
    kind = part.get_content_type()
    children: object = part.get_payload() if part.is_multipart() else None  # decodes, and may fail, otherwise
    if kind == "message/rfc822" and isinstance(children, list):
        parts.attached.extend(_bytes_of(child) for child in children if isinstance(child, Message))
    elif isinstance(children, list):
        messages = [child for child in children if isinstance(child, Message)]
        if kind == "multipart/alternative":
            _choose(messages, parts, depth)
        else:
            for child in messages:
                _collect(child, parts, depth + 1)
    else:
        content = _content(part)
        if _is_body(part, kind):
            parts.body.append((_text(part, content, kind), kind == "text/html"))
        elif content or part.get("Content-Disposition") is not None:
            parts.attached.append(content)


def _choose(messages: list[Message], parts: _Parts, depth: int) -> None:
    """The plain text among alternatives, else the HTML; what hangs on any of them is kept."""
    found: list[_Parts] = []
    for child in messages:
        inner = _Parts()
        _collect(child, inner, depth + 1)
        found.append(inner)
    shown = [inner for inner in found if any(text.strip() for text, _ in inner.body)]
    unformatted = [inner for inner in shown if not any(is_html for _, is_html in inner.body)]
    chosen = (unformatted or shown)[:1]
    for inner in found:
        if inner in chosen:
            parts.body.extend(inner.body)
        parts.attached.extend(inner.attached)


def _is_body(part: Message, kind: str) -> bool:
    if kind not in ("text/plain", "text/html") and not (kind.startswith("multipart/")):
        return False
    try:
        return part.get_content_disposition() != "attachment" and not part.get_filename()
    except _PARSE_ERRORS:
        return False


def _content(part: Message) -> bytes:
    """The bytes of a part with the transfer encoding undone, damaged base64 as far as it goes."""
    try:
        content = part.get_payload(decode=True)
    except _PARSE_ERRORS:
        content = None
    if isinstance(content, bytes):
        return content
    try:
        payload = part.get_payload()
    except _PARSE_ERRORS:
        raise CorruptError("a part of the message cannot be decoded") from None
    return payload.encode("utf-8", "surrogateescape") if isinstance(payload, str) else b""


def _text(part: Message, content: bytes, kind: str) -> str:
    charset = _parameter(part, "charset")
    if charset and content.strip(BLANK_BYTES):
        try:
            text = content.decode(charset)
        except _PARSE_ERRORS:
            text = None
        if isinstance(text, str):
            return text.replace("\f", "\n")
    text = html_text(content) if kind == "text/html" else decode_text(content)
    return text.replace("\f", "\n")


def _bytes_of(message: Message) -> bytes:
    try:
        return message.as_bytes(policy=_POLICY)
    except (*_PARSE_ERRORS, RecursionError):
        pass
    try:
        return message.as_string(policy=policy.compat32).encode("utf-8", "surrogateescape")
    except (*_PARSE_ERRORS, RecursionError):
        raise CorruptError("an attached message cannot be taken out") from None


def _header(message: EmailMessage | Message, name: str) -> Iterator[str]:
    """The values of a header, decoded; one that the parser cannot take comes as it stands."""
    try:
        for value in message.get_all(name, ()):
            yield _line(str(value))
    except _PARSE_ERRORS:
        for known, raw in message.raw_items():
            if known.lower() == name.lower():
                yield _line(str(raw))


def _line(value: str) -> str:
    return re.sub(r"\s+", " ", value.encode("utf-8", "replace").decode("utf-8", "replace")).strip()
