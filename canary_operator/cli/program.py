"""The command ``canary-operator``.

Law: parses, calls, prints. One function for each command.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

import canary_operator
from canary_operator.cli.attesting import attest
from canary_operator.cli.releasing import release_all
from canary_operator.cli.replaying import replay_all
from canary_operator.cli.trails import Wanted
from canary_operator.cli.verifying import verify
from canary_operator.errors import OperatorError
from canary_operator.model.rollout import RolloutRef
from canary_operator.prometheus import garbage
from canary_operator.settings import load_settings
from canary_operator.telemetry import configure_logging
from canary_operator.wiring import Operator

# kubectl finds the file; people type the other, and usage should say what they type.
_PLUGIN = "kubectl-canary_gate"
_PLUGIN_TYPED = "kubectl canary-gate"

app = typer.Typer(
    name="canary-operator",
    help="SLO-gated canary promotion for Argo Rollouts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

audit = typer.Typer(help="What the records of decisions say.", no_args_is_help=True)
app.add_typer(audit, name="audit")

ConfigFile = Annotated[Path | None, typer.Option("--config", help="The configuration file; defaults without one.")]
Namespaces = Annotated[
    list[str] | None, typer.Option("--namespace", "-n", help="Only this namespace; may be given several times.")
]


@app.command()
def run(
    config: ConfigFile = None,
    namespace: Namespaces = None,
    once: Annotated[bool, typer.Option("--once", help="Make one pass over all Rollouts and exit.")] = False,
) -> None:
    """Run the operator, in a cluster or with KUBECONFIG."""
    configure_logging()
    operator = Operator(load_settings(config), namespace or ())
    garbage.seldom()
    if once:
        raise typer.Exit(1 if asyncio.run(operator.once()) else 0)
    asyncio.run(_serve(operator))
    sys.stdout.flush()
    # A request that hangs in a thread must not keep the process: its intention is written down.
    os._exit(0)


async def _serve(operator: Operator) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await operator.run(stop)


@app.command()
def release(
    namespace: Namespaces = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only name what would be released.")] = False,
) -> None:
    """Release every hold of the gate: to be run once the operator is stopped.

    Each pause gets the start back that Argo gave it, so that the release goes on by its own timer, ungated.
    """
    raise typer.Exit(asyncio.run(release_all(namespace or [], dry_run)))


@audit.command("attest")
def audit_attest(
    rollout: Annotated[str, typer.Argument(help="Name of the Rollout.")],
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Its namespace.")],
    predicate: Annotated[
        bool, typer.Option("--predicate", help="Only the predicate, as `cosign attest --predicate` takes it.")
    ] = False,
) -> None:
    """Print an unsigned in-toto statement of the stable version: its images by digest, and why it was promoted."""
    raise typer.Exit(asyncio.run(attest(RolloutRef(namespace, rollout), predicate_only=predicate)))


OneRollout = Annotated[str, typer.Option("--rollout", help="Only the Rollout of this name.")]
RecordsFile = Annotated[
    Path | None, typer.Option("--file", help="Read records from this file, one a line, and not from the cluster.")
]


@app.command()
def replay(namespace: Namespaces = None, rollout: OneRollout = "", file: RecordsFile = None) -> None:
    """Decide again what the records say was decided, and compare.

    Exit status: 0 if every record is identical, 1 if one is not, 2 if there is none.
    """
    raise typer.Exit(asyncio.run(replay_all(Wanted(tuple(namespace or ()), rollout, file))))


@audit.command("verify")
def audit_verify(namespace: Namespaces = None, rollout: OneRollout = "", file: RecordsFile = None) -> None:
    """Find records that were changed, are missing or stand in another place than they were written in.

    Exit status: 0 if all chains hold, 1 if something is wrong, 2 if there is no record.
    """
    raise typer.Exit(asyncio.run(verify(Wanted(tuple(namespace or ()), rollout, file))))


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(canary_operator.__version__)


def main() -> None:
    """Run the command line; a mistake of a person is one line and exit status 3."""
    try:
        app(prog_name=_PLUGIN_TYPED if Path(sys.argv[0]).name == _PLUGIN else "canary-operator")
    except OperatorError as error:
        typer.echo(f"canary-operator: {error}", err=True)
        sys.exit(3)
