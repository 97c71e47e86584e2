"""How the operator logs: JSON lines on stdout, one canonical line for each change of a verdict.

Law: the line of a verdict is written once everything is written down, and has every number that the verdict rests on.
Its keys are a promise: docs/metrics.md lists them.
"""

import logging
import sys
from collections.abc import Callable
from typing import Any

import structlog

from canary_operator.model.gate import Evidence, GateStatus, Side
from canary_operator.model.look import Look
from canary_operator.model.rollout import RolloutRef

log = structlog.get_logger()


class VerdictLog:
    """Logs every change of a verdict.

    Args:

        clock: the present, Unix seconds: the line says how long the look took that changed the verdict.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def looked(self, look: Look) -> None:
        """Write the one line of a decision."""
        if look.verdict_changed:
            log.info("verdict", **_place(look), **_decision(look.status), seconds=round(self._clock() - look.at, 3))

    def forget(self, ref: RolloutRef) -> None:
        """Nothing is kept of a Rollout."""


def _place(look: Look) -> dict[str, Any]:
    status = look.status
    return {
        "rollout": str(look.ref),
        "mode": status.mode,
        "revision": status.rollout.revision if status.rollout else None,
        "pod_hash": status.rollout.pod_hash if status.rollout else None,
        "step": status.rollout_step,
        "weight": status.step.weight if status.step else None,
    }


def _decision(status: GateStatus) -> dict[str, Any]:
    last = status.last_action
    # An action of the decision that changed the verdict, not of one before.
    done = last if last is not None and last.at == status.since else None
    return {
        "verdict": status.verdict,
        "reason": status.reason,
        "message": status.message,
        "evidence": [_evidence(each) for each in status.evidence],
        "action": done.action if done else None,
        "outcome": done.outcome if done else None,
        "decision_id": done.decision_id if done else None,
        "sequence": status.sequence,
        "record_hash": status.record_hash,
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "name": evidence.name,
        "kind": evidence.kind,
        "canary": _side(evidence.canary),
        "stable": _side(evidence.stable),
        "value": evidence.value,
    }


def _side(side: Side | None) -> dict[str, int] | None:
    return {"bad": side.bad, "total": side.total} if side else None


def configure_logging() -> None:
    """JSON lines on stdout; what kopf and the clients say passes through the same formatter."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processor=structlog.processors.JSONRenderer())
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # kopf says every event of every object; the verdicts are what an operator's operator wants to read.
    logging.getLogger("kopf").setLevel(logging.WARNING)
    # It watches in a thread on purpose; the signals are the program's.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
