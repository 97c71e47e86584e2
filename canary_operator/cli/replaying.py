"""``canary-operator replay``: decides again what records say was decided.

Law: one line for each record; nothing is written anywhere.
"""

from collections import Counter
from typing import assert_never

import pydantic
import typer

from canary_operator.cli.trails import Wanted, trails
from canary_operator.journal.chain import Stored
from canary_operator.journal.replaying import Differs, Identical, NotReplayable, Replayed, replay
from canary_operator.model.record import GateDecisionSpec


async def replay_all(wanted: Wanted) -> int:
    """Print of each record what came of replaying it. Returns 0 if all are identical, else 1, and 2 without any."""
    counts: Counter[str] = Counter()
    for trail in await trails(wanted):
        for stored in trail.records:
            said = _sentence(_replayed(stored))
            counts[said.partition(":")[0]] += 1
            typer.echo(f"{trail.ref} {stored.spec['sequence']}: {said}")
    if not counts:
        typer.echo("there are no records", err=True)
        return 2
    typer.echo(", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
    return int(set(counts) != {"identical"})


def _replayed(stored: Stored) -> Replayed:
    try:
        return replay(GateDecisionSpec.model_validate(stored.spec))
    except pydantic.ValidationError:
        return NotReplayable("it was changed, or written by another version: it cannot be read")


def _sentence(result: Replayed) -> str:
    match result:
        case Identical(other_version=""):
            return "identical"
        case Identical(other_version=version):
            return f"identical: though version {version} wrote it"
        case Differs(differences=found):
            return "differs: " + "; ".join(f"{each.field} is {each.recorded}, not {each.computed}" for each in found)
        case NotReplayable(why=why):
            return f"cannot be replayed: {why}"
    assert_never(result)
