"""Two pictures as plain SVG: who aborts healthy releases, and how long a bad one lives.

Law: text in, text out; the same numbers give the same bytes. Colours are told apart by shape and label as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

WIDTH, LEFT, RIGHT, ROW = 760, 190, 20, 22
COLOURS = ("#1f6f8b", "#d1603d", "#8a6fb0", "#6b8e23", "#888888")

Series = Mapping[str, Sequence[float]]
"""Rule -> one number for each label; NaN is not drawn."""


def bars(title: str, labels: Sequence[str], series: Series, unit: str) -> str:
    """One group of bars for each label, 0 to 100."""
    height = ROW * len(series) * 0.6 + 14
    body = [_text(LEFT, 22, title, size=15)]
    body += _legend(list(series), 44)
    top = 64.0
    for index, label in enumerate(labels):
        body.append(_text(LEFT - 8, top + height / 2, label, anchor="end"))
        for place, (name, values) in enumerate(series.items()):
            y = top + place * ROW * 0.6
            wide = max((WIDTH - LEFT - RIGHT - 50) * values[index] / 100, 1.0)
            body.append(
                f'<rect x="{LEFT}" y="{y:.1f}" width="{wide:.1f}" height="11" fill="{_colour(list(series), name)}"/>'
            )
            body.append(_text(LEFT + wide + 4, y + 10, f"{values[index]:.3g} {unit}", size=10))
        top += height
    return _svg(top + 10, body)


def lines(title: str, labels: Sequence[str], series: Series, unit: str) -> str:
    """One line for each rule over the labels, on a logarithmic scale."""
    seen = [value for values in series.values() for value in values if value > 0]
    low, high = math.floor(math.log10(min(seen))), math.ceil(math.log10(max(seen)))
    body = [_text(LEFT, 22, title, size=15), *_legend(list(series), 44)]

    def place(index: int, value: float) -> tuple[float, float]:
        x = LEFT + (WIDTH - LEFT - RIGHT - 40) * index / max(len(labels) - 1, 1)
        return x, 330 - 250 * (math.log10(value) - low) / (high - low)

    for power in range(low, high + 1):
        y = place(0, 10.0**power)[1]
        body.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        body.append(_text(LEFT - 8, y + 4, f"{10.0**power:g} {unit}", anchor="end"))
    body += [_text(place(index, 10.0**low)[0], 352, label, anchor="middle") for index, label in enumerate(labels)]
    for name, values in series.items():
        colour = _colour(list(series), name)
        points = [place(index, value) for index, value in enumerate(values) if value > 0]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        body.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        body += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in points]
    return _svg(370, body)


def _legend(names: list[str], y: float) -> list[str]:
    width = (WIDTH - 40) / len(names)
    parts = []
    for index, name in enumerate(names):
        x, colour = 20 + index * width, _colour(names, name)
        parts.append(f'<rect x="{x:.1f}" y="{y - 9:.1f}" width="10" height="10" fill="{colour}"/>')
        parts.append(_text(x + 14, y, name))
    return parts


def _colour(names: list[str], name: str) -> str:
    return COLOURS[names.index(name) % len(COLOURS)]


def _text(x: float, y: float, words: str, anchor: str = "start", size: int = 12) -> str:
    safe = words.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">{safe}</text>'


def _svg(height: float, body: list[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" font-family="sans-serif">'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{height:.0f}" fill="#fff"/>', *body, "</svg>", ""])
