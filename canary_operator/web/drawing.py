"""Values become HTML: Jinja2 with everything escaped, and the words for times and numbers.

Law: what is shown was written by tenants. Every value passes ``_visible`` and then the escaping; no template marks
anything as safe.
"""

import datetime
import re
from collections.abc import Callable
from typing import Any

import jinja2
from markupsafe import Markup

from canary_operator.model import durations
from canary_operator.model.gate import Side
from canary_operator.web.assets import Assets

# Control characters, marks that turn the direction of what follows, characters without width, and halves of
# characters: none can be seen, and some would make a name look like another.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


class Drawing:
    """Draws templates. ``assets`` are the files that pages refer to."""

    def __init__(self, assets: Assets) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.PackageLoader("canary_operator.web"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            finalize=_visible,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        filters: dict[str, Callable[..., Any]] = {
            "moment": moment,
            "number": number,
            "percent": percent,
            "ratio": ratio,
            "day": day,
        }
        self._environment.filters.update(filters)
        self._environment.globals["asset"] = assets.address

    def draw(self, template: str, **values: Any) -> Markup:
        """Draw one template; what comes of it may stand in another."""
        # Every value in it was escaped by the template.
        return Markup(self._environment.get_template(template).render(**values))  # noqa: S704


def _visible(value: Any) -> Any:
    """A text whose invisible characters are written out; markup and numbers as they are."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return _INVISIBLE.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", value)


def moment(value: str | float | None) -> Markup:
    """A time in UTC, to which the browser adds how long ago that is; a dash where there is none."""
    if value is None:
        return Markup("–")
    seconds = durations.parse_time(value) if isinstance(value, str) else value
    written = durations.format_time(seconds)
    return Markup('<time datetime="{}">{} UTC</time>').format(written, written[:-1].replace("T", " "))


def day(seconds: float) -> str:
    """The time of the day in UTC, for a table whose rows are close together."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%H:%M:%S")


def number(value: int | None) -> str:
    """A count with its thousands apart; a dash where there is none."""
    return "–" if value is None else f"{value:,}"


def percent(part: float) -> str:
    """A part of 1 in percent, never rounded to all or nothing."""
    shown = round(100 * part)
    if shown in (0, 100) and part not in (0, 1):
        return "< 1 %" if shown == 0 else "> 99 %"
    return f"{shown} %"


def ratio(side: Side | None) -> str:
    """What part of the requests was bad; a dash where there were none."""
    if side is None or side.total == 0:
        return "–"
    return f"{100 * side.bad / side.total:.3g} %"
