"""What the documentation says of precedence is what decides."""

from pathlib import Path

from tests import scripts

DOCS = Path(__file__).parents[2] / "docs"


def test_the_pages_are_what_the_tables_say() -> None:
    generate = scripts.load(DOCS / "generate.py")

    assert {path: path.read_text() for path in generate.written()} == generate.written()
