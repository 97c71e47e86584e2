"""``canary-operator audit verify``: says whether the records of each Rollout are the chain that was written.

Law: prints what is wrong, and where; a chain that is being written is looked at again before anything is said of it.
"""

import asyncio

import typer

from canary_operator.cli.trails import Trail, Wanted, trails
from canary_operator.journal.chain import Flaw, flaws

# A look takes a moment from its record to its status.
_LOOKS = 5
_BETWEEN_SECONDS = 1.0


async def verify(wanted: Wanted) -> int:
    """Print what is wrong with the chains. Returns 0 if they hold, 1 if something is wrong, 2 if there is no record."""
    found = await _settled(wanted)
    for trail, wrong in found:
        _tell(trail, wrong)
    if not found:
        typer.echo("there are no records", err=True)
        return 2
    return int(any(wrong for _, wrong in found))


async def _settled(wanted: Wanted) -> list[tuple[Trail, tuple[Flaw, ...]]]:
    for _ in range(_LOOKS):
        found = [(trail, flaws(trail.records, trail.gate)) for trail in await trails(wanted)]
        if not any(flaw.beyond for _, wrong in found for flaw in wrong):
            break
        await asyncio.sleep(_BETWEEN_SECONDS)
    return found


def _tell(trail: Trail, wrong: tuple[Flaw, ...]) -> None:
    for flaw in wrong:
        typer.echo(f"{trail.ref} ({trail.uid}): {flaw.sentence}")
    if wrong:
        return
    first, last = (trail.records[at].spec["sequence"] for at in (0, -1)) if trail.records else (0, 0)
    unknown = "" if trail.gate is not None else "; no gate says where they begin and end"
    head = f", the last with the hash {trail.records[-1].spec['hash']}" if trail.records else ""
    typer.echo(f"{trail.ref} ({trail.uid}): records {first} to {last} hold{head}{unknown}")
