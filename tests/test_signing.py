"""A signature holds for exactly the signed bytes, and for one key."""

import shutil
import subprocess
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from extractor.errors import ConfigError, VerifyError
from extractor.signing import check, sign


def pem(key, *, passphrase=None):
    hidden = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)


def public_pem(key):
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, public)


@pytest.fixture
def keys(tmp_path):
    """The files of a private key and its public half."""
    key = Ed25519PrivateKey.generate()
    (tmp_path / "key.pem").write_bytes(pem(key))
    (tmp_path / "public.pem").write_bytes(public_pem(key))
    return tmp_path / "key.pem", tmp_path / "public.pem"


def test_what_was_signed_is_accepted_and_signed_again_alike(keys):
    private, public = keys

    signature = sign(b"content", private)

    check(b"content", signature, public)
    assert sign(b"content", private) == signature
    assert len(signature.value) == 128


@pytest.mark.parametrize("content", [b"", b"Content", b"content ", b"conten"], ids=repr)
def test_other_bytes_are_refused(keys, content):
    private, public = keys

    with pytest.raises(VerifyError) as caught:
        check(content, sign(b"content", private), public)
    assert caught.value.code == "signature.wrong"


@pytest.mark.parametrize(
    "change",
    [
        lambda one: replace(one, value="0" * 128),
        lambda one: replace(one, value=one.value[:-2]),
        lambda one: replace(one, value=one.value.upper() if one.value.upper() != one.value else "x"),
        lambda one: replace(one, value=one.value[:64] + " " + one.value[64:]),
        lambda one: replace(one, value="no digits"),
        lambda one: replace(one, key_id="0" * 64),
        lambda one: replace(one, algorithm="none"),
    ],
    ids=["zeros", "short", "upper", "spaced", "words", "key", "algorithm"],
)
def test_a_signature_of_which_anything_was_changed_is_refused(keys, change):
    private, public = keys

    with pytest.raises(VerifyError) as caught:
        check(b"content", change(sign(b"content", private)), public)
    assert caught.value.code == "signature.wrong"


def test_another_key_is_refused(keys, tmp_path):
    (tmp_path / "other.pem").write_bytes(public_pem(Ed25519PrivateKey.generate()))

    with pytest.raises(VerifyError, match="another key"):
        check(b"content", sign(b"content", keys[0]), tmp_path / "other.pem")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no key",
        pem(ec.generate_private_key(ec.SECP256R1())),
        pem(Ed25519PrivateKey.generate(), passphrase=b"secret"),
        public_pem(Ed25519PrivateKey.generate()),
    ],
    ids=["empty", "words", "other-kind", "passphrase", "public"],
)
def test_a_file_that_is_no_signing_key_is_refused_without_being_quoted(tmp_path, content):
    (tmp_path / "key.pem").write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        sign(b"content", tmp_path / "key.pem")
    assert "PRIVATE" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"no key", pem(Ed25519PrivateKey.generate())], ids=["empty", "words", "private"]
)
def test_a_file_that_is_no_public_key_is_refused(keys, tmp_path, content):
    (tmp_path / "bad.pem").write_bytes(content)

    with pytest.raises(ConfigError):
        check(b"content", sign(b"content", keys[0]), tmp_path / "bad.pem")


def test_a_key_file_that_is_not_there_is_the_operators_to_mend(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        sign(b"content", tmp_path / "none.pem")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program is not installed")
def test_keys_as_the_documentation_makes_them_work(tmp_path):
    private, public = tmp_path / "key.pem", tmp_path / "public.pem"
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True, capture_output=True
    )
    subprocess.run(
        ["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True
    )

    check(b"content", sign(b"content", private), public)
