"""Ed25519 signatures under bytes, with keys in PEM files.

``openssl genpkey -algorithm ed25519`` makes a private key, ``openssl pkey
-pubout`` the public one. Keys with a passphrase are refused: a service cannot
type one; protect the file instead.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from extractor.errors import ConfigError, VerifyError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ALGORITHM = "Ed25519"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature: 128 hexadecimal digits, and which key made it (sha256 of the raw public key)."""

    algorithm: str
    key_id: str
    value: str


def sign(content: bytes, key: Path) -> Signature:
    """Sign bytes with the private key in a PEM file. Equal bytes and key give an equal signature.

    Raises:
        ConfigError: the file holds no Ed25519 private key without a passphrase.
    """
    private = _private_key(key)
    return Signature(
        algorithm=ALGORITHM, key_id=_key_id(private.public_key()), value=private.sign(content).hex()
    )


def check(content: bytes, signature: Signature, public_key: Path) -> None:
    """Return only if the holder of the private key signed exactly these bytes.

    Raises:
        VerifyError: the bytes, the signature or the key are others (``signature.wrong``).
        ConfigError: the file holds no Ed25519 public key.
    """
    from cryptography.exceptions import InvalidSignature

    key = _public_key(public_key)
    if signature.algorithm != ALGORITHM:
        raise _wrong(f"it claims to be made by {signature.algorithm[:20]!r}, not {ALGORITHM}")
    if signature.key_id != _key_id(key):
        raise _wrong("another key made it")
    try:
        value = bytes.fromhex(signature.value)
        if value.hex() != signature.value:
            raise _wrong("it is not written as it should be")
        key.verify(value, content)
    except ValueError:
        raise _wrong("it is not hexadecimal") from None
    except InvalidSignature:
        raise _wrong("the content was changed after it was signed") from None


def _wrong(what: str) -> VerifyError:
    return VerifyError(
        f"the signature does not hold: {what}",
        code="signature.wrong",
        hint="You: do not rely on this file; ask its sender for the file and the public key by another way.",
    )


def _key_id(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def _private_key(path: Path) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(_bytes(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(
            "the signing key is no Ed25519 private key in PEM without a passphrase",
            hint="Operator: make one with `openssl genpkey -algorithm ed25519 -out KEY.pem`.",
        )
    return key


def _public_key(path: Path) -> Ed25519PublicKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(_bytes(path))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(
            "the key to check with is no Ed25519 public key in PEM",
            hint="Operator: take it out of the private key with `openssl pkey -in KEY.pem -pubout`.",
        )
    return key


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"the key file cannot be read ({type(error).__name__})") from None
