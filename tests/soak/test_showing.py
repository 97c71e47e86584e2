"""What a long run has found goes into the page, and into its own place there."""

from tests.soak import showing


def test_the_page_has_a_place_for_each_run(tmp_path, monkeypatch):
    page = tmp_path / "soak.md"
    page.write_text(showing.PAGE.read_text())
    monkeypatch.setattr(showing, "PAGE", page)
    for name in ("kills", "soak"):
        showing.write(name, f"all about {name}")
    showing.write("kills", "again")
    text = page.read_text()
    assert "\nagain\n<!-- end of kills -->\n" in text
    assert "\nall about soak\n<!-- end of soak -->\n" in text
    assert "all about kills" not in text
    assert text.startswith("# Long runs\n")
