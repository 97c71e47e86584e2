"""Values become HTML: whatever tenants write stays text, and what cannot be seen is written out."""

import pytest
from markupsafe import Markup

from canary_operator.model.gate import Side
from canary_operator.web.assets import load_assets
from canary_operator.web.drawing import Drawing, moment, number, percent, ratio


def drawn(text):
    return Drawing(load_assets()).draw("error.html", root="./", now=0.0, assets="x", status=404, sentence=text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("\"'><img src=x onerror=alert(1)>", "&#34;&#39;&gt;&lt;img src=x onerror=alert(1)&gt;"),
        ("{{ 7 * 7 }}{% raw %}", "{{ 7 * 7 }}{% raw %}"),
        ("api\u202egnp.exe", "api⟨U+202E⟩gnp.exe"),
        ("a\u2066b\u2069\u200f\u061c", "a⟨U+2066⟩b⟨U+2069⟩⟨U+200F⟩⟨U+061C⟩"),
        ("nul\x00 esc\x1b[31m bell\x07", "nul⟨U+0000⟩ esc⟨U+001B⟩[31m bell⟨U+0007⟩"),
        ("half \ud800 of one", "half ⟨U+D800⟩ of one"),
        ("zero\u200bwidth\ufeff", "zero⟨U+200B⟩width⟨U+FEFF⟩"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("größer ≥ 5 ‰ 🙂", "größer ≥ 5 ‰ 🙂"),
    ],
)
def test_whatever_is_written_is_text(text, shown):
    html = drawn(text)

    assert f'<p class="sentence">{shown}</p>' in html
    assert html.encode()


def test_what_a_template_has_drawn_is_not_escaped_twice():
    assert drawn(Markup("<b>bold</b>")).count("<b>bold</b>") == 1


@pytest.mark.parametrize(
    ("part", "shown"),
    [(0, "0 %"), (0.004, "< 1 %"), (0.02, "2 %"), (0.5, "50 %"), (0.999, "> 99 %"), (1, "100 %"), (1.0, "100 %")],
)
def test_a_part_is_rounded_and_never_to_all_or_nothing(part, shown):
    assert percent(part) == shown


@pytest.mark.parametrize(
    ("value", "html"),
    [
        (None, "–"),
        ("2026-09-14T10:00:00Z", '<time datetime="2026-09-14T10:00:00Z">2026-09-14 10:00:00 UTC</time>'),
        ("2026-09-14T12:00:00.5+02:00", '<time datetime="2026-09-14T10:00:00Z">2026-09-14 10:00:00 UTC</time>'),
        (0.0, '<time datetime="1970-01-01T00:00:00Z">1970-01-01 00:00:00 UTC</time>'),
    ],
)
def test_a_time_is_absolute_and_in_utc(value, html):
    assert moment(value) == html


def test_counts_have_their_thousands_apart_and_absence_is_a_dash():
    assert [number(1234567), number(0), number(None)] == ["1,234,567", "0", "–"]


def test_a_ratio_of_nothing_is_none():
    assert [ratio(Side(bad=7, total=4210)), ratio(Side(bad=0, total=0)), ratio(None)] == ["0.166 %", "–", "–"]
