"""The page for users has a row for every preset."""

from pathlib import Path

import pytest

from canary_operator.attribution.presets import PRESETS

PAGE = (Path(__file__).parents[2] / "docs" / "attribution.md").read_text()


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_every_preset_has_a_row(preset):
    assert f"\n| `{preset.name}` | " in PAGE
    assert all(f"`{beginning}" in PAGE for beginning in preset.metrics)
