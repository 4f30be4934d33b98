"""A message becomes its headers and body; all else is an attachment."""

import pytest

from extractor.errors import EncryptedError, LimitError
from tests.readers.made import EMAIL, blocks_of, page_of, read

HEAD = b"From: a@example.com\nTo: b@example.com\nMIME-Version: 1.0\n"


def test_headers_are_decoded_key_values_and_the_plain_body_is_preferred():
    (page,), attached = read(EMAIL)

    assert blocks_of(page) == [
        ("key_value", "From: Ann Lee <ann@example.com>"),
        ("key_value", "To: bob@example.com"),
        ("key_value", "Date: Fri, 23 Dec 2022 12:08:48 -0600"),
        ("key_value", "Subject: Lot 42 \u2013 results"),
        ("paragraph", "Hello,"),
        ("paragraph", "the lot passed."),
    ]
    assert page.text.endswith("results\n\nHello,\n\nthe lot passed.")
    assert attached == [b"Attached"]


def test_html_is_the_body_where_there_is_no_plain_text():
    content = (
        HEAD + b"Content-Type: text/html; charset=utf-8\n\n<p>Lot <b>42</b></p><table><tr><td>a<td>b</table>"
    )
    page = page_of(content)

    assert blocks_of(page)[-2:] == [("paragraph", "Lot 42"), ("table", "a\tb")]


def test_a_blank_plain_alternative_gives_way_to_the_html():
    content = EMAIL.replace(b"Hello,\r\n\r\nthe lot passed.\r\n--A", b" \r\n--A")

    assert [text for _, text in blocks_of(read(content)[0][0])][-2:] == ["Hello,", "the lot passed."]


def test_inline_pictures_and_attached_messages_are_documents_of_their_own():
    inner = b"Subject: inner\nFrom: c@example.com\n\nhi\n"
    content = (
        HEAD + b'Content-Type: multipart/mixed; boundary="X"\n\n--X\nContent-Type: text/plain\n\nbody one\n'
        b"--X\nContent-Type: image/png\nContent-Disposition: inline\nContent-Transfer-Encoding: base64\n\niVBORw==\n"
        b"--X\nContent-Type: message/rfc822\n\n"
        + inner
        + b"--X\nContent-Type: text/plain\n\nbody two\n--X--\n"
    )
    (page,), attached = read(content)

    assert attached[0] == b"\x89PNG"
    assert b"Subject: inner" in attached[1]
    assert page.text.endswith("body one\n\nbody two")


@pytest.mark.parametrize(
    "content",
    [
        HEAD + b"Content-Type: multipart/mixed\n\nno boundary here",
        HEAD + b"Content-Type: multipart/mixed; boundary=Q\n\n--Q\n\nno boundary here",
        HEAD + b"Content-Type: text/plain; charset=nonsense\n\nno boundary here",
        HEAD + b"Content-Type: text/plain\nContent-Transfer-Encoding: nonsense\n\nno boundary here",
        HEAD + b"Content-Type: ;;;=\n\nno boundary here",
    ],
)
def test_malformed_mime_still_gives_its_text(content):
    (page,), attached = read(content, "message/rfc822")

    assert "no boundary here" in page.text or b"no boundary here" in b"".join(attached)


def test_a_header_that_cannot_be_parsed_is_shown_as_it_stands():
    page = page_of(HEAD + b'Subject: =?utf-8?b?////?= lot\nCc: "broken <x@\n\nbody', "message/rfc822")

    assert "lot" in page.text
    assert "Cc:" in page.text


def test_encrypted_messages_and_floods_of_attachments_are_refused():
    with pytest.raises(EncryptedError):
        read(HEAD + b'Content-Type: multipart/encrypted; boundary="X"\n\n--X\n\nx\n--X--')
    flood = b"".join(b"--X\nContent-Type: image/png\n\nx\n" for _ in range(11))
    with pytest.raises(LimitError) as caught:
        read(HEAD + b'Content-Type: multipart/mixed; boundary="X"\n\n' + flood + b"--X--", max_attachments=10)
    assert caught.value.code == "limit.attachments"


def test_parts_nested_without_end_are_refused():
    content = HEAD + b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (level, level) for level in range(400)
    )
    with pytest.raises(LimitError) as caught:
        read(content + b"Content-Type: text/plain\n\nx", "message/rfc822")
    assert caught.value.code == "limit.depth"
