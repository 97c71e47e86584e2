"""The files that pages refer to: scripts, styles, and what is vendored.

Law: read once, when the program starts; a page names each with its hash, so that browsers may keep them for ever.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

_TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served."""

    content: bytes
    content_type: str
    digest: str


class Assets:
    """The files, by their path under ``static/``."""

    def __init__(self, files: Mapping[str, Asset]) -> None:
        self._files = files
        digests = "".join(asset.digest for _, asset in sorted(files.items()))
        self.version = hashlib.sha256(digests.encode()).hexdigest()[:12]

    def find(self, path: str) -> Asset | None:
        """Look up a file, None where there is none."""
        return self._files.get(path)

    def address(self, path: str) -> str:
        """The address of a file under the page's root, which changes with its content.

        Raises:

            KeyError: if there is no such file.
        """
        return f"static/{path}?v={self._files[path].digest}"


def load_assets() -> Assets:
    """Read the files that are shipped with the package."""
    return Assets(dict(_files(resources.files("canary_operator.web") / "static", "")))


def _files(folder: Traversable, prefix: str) -> list[tuple[str, Asset]]:
    found: list[tuple[str, Asset]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _files(entry, f"{prefix}{entry.name}/")
        elif (kind := entry.name.rpartition(".")[2]) in _TYPES:
            content = entry.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:16]
            found.append((f"{prefix}{entry.name}", Asset(content, _TYPES[kind], digest)))
    return found
