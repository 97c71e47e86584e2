"""What is vendored is what the packages hold, and what pages refer to is shipped."""

import hashlib
import re
from importlib import resources
from pathlib import Path

VENDOR = Path(str(resources.files("canary_operator.web"))) / "static" / "vendor"
ROW = re.compile(r"^\| (\S+) \| [^|]+ \| ([0-9.]+) \| [^|]*?(LICENSE-\S+) \| ([0-9a-f]{64}) \|$", re.MULTILINE)


def rows():
    return ROW.findall((VENDOR / "VENDORED.md").read_text())


def test_every_vendored_file_is_in_the_table_and_no_other():
    shipped = {path.name for path in VENDOR.iterdir()} - {"VENDORED.md"}

    assert {name for name, *_ in rows()} | {licence for *_, licence, _ in rows()} == shipped


def test_every_vendored_file_is_unchanged():
    for name, _, _, digest in rows():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name


def test_every_vendored_file_has_its_licence():
    for _, _, licence, _ in rows():
        assert "copy" in (VENDOR / licence).read_text()
