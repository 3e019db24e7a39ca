"""Files that are encrypted as distributors do it."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from pipelines.mediation.sealed import FlowKey

KEY = bytes(range(100, 132))
SHARED = FlowKey("shared", KEY[:16], bytes(range(16)))
LEADING = FlowKey("leading", KEY)
OTHER = FlowKey("other", bytes(range(32)))


def seal(plain: bytes, key: FlowKey, iv: bytes = b"0123456789abcdef") -> bytes:
    """Encrypt a file; `iv` leads it when the key has none."""
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key.key), modes.CBC(key.iv or iv)).encryptor()
    content = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    return content if key.iv else iv + content
