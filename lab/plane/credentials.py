"""Tokens, keys and kubeconfigs of one lab, made without openssl.

Law: everything here is random, lives in the lab's folder and is worth nothing after it.
"""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

import yaml

# An elliptic-curve private key (RFC 5915) on P-256 is nothing but 32 random bytes in a frame, so the
# key that signs service-account tokens needs neither openssl nor a Python package.
_KEY_FRAME = (bytes.fromhex("30310201010420"), bytes.fromhex("a00a06082a8648ce3d030107"))


def signing_key() -> str:
    """Return a new private key as PEM; readers derive the public key from it."""
    scalar = bytearray(secrets.token_bytes(32))
    # The scalar must be below the order of the curve, whose first bit is set.
    scalar[0] &= 0x7F
    before, after = _KEY_FRAME
    text = base64.encodebytes(before + bytes(scalar) + after).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{text}-----END EC PRIVATE KEY-----\n"


def token_file(token: str) -> str:
    """Return the API server's token file: one administrator."""
    return f'{token},admin,admin,"system:masters"\n'


def kubeconfig(server: str, token: str, certificate: bytes, namespace: str = "default") -> str:
    """Return a kubeconfig for `token`, trusting `certificate` only."""
    cluster = {
        "server": server,
        "certificate-authority-data": base64.b64encode(certificate).decode(),
    }
    context = {"cluster": "lab", "user": "lab", "namespace": namespace}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": cluster}],
            "users": [{"name": "lab", "user": {"token": token}}],
            "contexts": [{"name": "lab", "context": context}],
            "current-context": "lab",
        }
    )


def identity(admin: Path, token: str, namespace: str) -> str:
    """Return the kubeconfig `admin` with the user replaced by the holder of `token`."""
    config = yaml.safe_load(admin.read_text())
    current = next(c for c in config["contexts"] if c["name"] == config["current-context"])
    current["context"]["namespace"] = namespace
    current["context"]["user"] = "service-account"
    config["users"] = [{"name": "service-account", "user": {"token": token}}]
    config["contexts"] = [current]
    return yaml.safe_dump(config)


def write_secret(path: Path, text: str) -> None:
    """Write a file that only this user can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(half, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    half.replace(path)
