"""The signature under a region's month, made outside the fold, which has no secret (role `signing`, hub/streams).

Who holds the region's key (the KSV, or whoever hosts the hub in its name) signs the root of the month. One signature
covers every statement, since each proves that it stands under that root. Ed25519; the key is a PEM file.
"""

from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hub.domain.facts import RegionSharesStated, RootSigned
from hub.errors import UsageError

_CONTEXT: Final = "kraamzorg fair-share statements v1"
"""So that a signature made for something else never fits here."""


def new_key(path: Path) -> str:
    """Write a new private key, readable by its owner alone; returns the public one, to be told to all readers.

    UsageError: the file is there already; a key that signed is never overwritten.
    """
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError as problem:
        raise UsageError(f"found {path}, expected a new file: a key that signed must stay what it is") from problem
    path.write_bytes(pem)
    return public_hex(key)


def sign(stated: RegionSharesStated, key: Ed25519PrivateKey) -> RootSigned:
    """Signature over region, month and root. Ed25519 draws no lot: the same root and key give the same bytes."""
    signature = key.sign(_text(stated.region, stated.month, stated.statement_root)).hex()
    return RootSigned(
        region=stated.region, month=stated.month, statement_root=stated.statement_root, public_key=public_hex(key),
        signature=signature,
    )  # fmt: skip


def load_key(key_file: Path) -> Ed25519PrivateKey:
    """The key in a file. UsageError: no file that can be read, or no Ed25519 key in it."""
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    except OSError as problem:
        raise UsageError(f"{key_file}: {problem.strerror}, expected the PEM of `hub statements key`") from problem
    except (ValueError, TypeError) as problem:
        raise UsageError(f"{key_file}: found no private key, expected the PEM of `hub statements key`") from problem
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{key_file}: found {type(key).__name__}, expected an Ed25519 key of `hub statements key`")
    return key


def is_signed(signed: RootSigned, public_key: str) -> bool:
    """Whether a region's month is signed by this key, whatever key it names itself; a malformed signature is none."""
    text = _text(signed.region, signed.month, signed.statement_root)
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(bytes.fromhex(signed.signature), text)
    except (InvalidSignature, ValueError):
        return False
    return True


def public_hex(key: Ed25519PrivateKey) -> str:
    """The public key as hex."""
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw).hex()


def _text(region: str, month: str, root: str) -> bytes:
    return "\n".join([_CONTEXT, region, month, root]).encode()
