"""The spec of a GateDecision: what was decided, on what, and what became of it.

Law: pydantic models, frozen; the CRD is generated from them, without defaults, so that what is stored is what
was hashed. Absent fields mean "there was none".
"""

from typing import Literal

from pydantic import Field

from canary_operator.model.document import Document
from canary_operator.model.gate import Evidence, RolloutStatus, StepStatus


class RecordedAction(Document):
    """The action that the decision asked for, and its outcome."""

    kind: Literal["Hold", "Release", "Promote", "Abort"] = Field(description="Hold, Release, Promote or Abort.")
    decision_id: str = Field(description="Identifies the decision in every record of it.")
    outcome: Literal["Applied", "Stale", "Gone", "Refused"] = Field(
        description="Applied; Stale: the object had moved on, nothing was written; Gone; Refused by the API server."
    )
    message: str = Field(default="", description="What the API server said, where it matters.")


class Used(Document):
    """A definition that the decision was made by."""

    name: str = Field(description="Name of the object; a cluster template is written as cluster/name.")
    digest: str = Field(description="Hash of its content as it was used.")


class GateDecisionSpec(Document):
    """One decision of one gate. It never changes once it is written."""

    rollout_name: str = Field(description="Name of the judged Rollout, which lives in the same namespace.")
    rollout: RolloutStatus = Field(description="The Rollout that was judged.")
    step: StepStatus | None = Field(default=None, description="Where the Rollout was.")
    at: str = Field(json_schema_extra={"format": "date-time"}, description="RFC 3339 time of the decision.")
    mode: str = Field(description="enforce or observe: as annotated, and at most what the operator is allowed.")
    verdict: str | None = Field(default=None, description="Promote, Hold or Abort; absent where nothing was judged.")
    reason: str = Field(description="Why, one CamelCase word.")
    message: str = Field(description="Why, one sentence with numbers.")
    action: RecordedAction | None = Field(default=None, description="The action that was taken, where there was one.")
    evidence: tuple[Evidence, ...] = Field(default=(), description="What each gate knew.")
    policies: tuple[Used, ...] = Field(default=(), description="The policies that the decision was made by.")
    templates: tuple[Used, ...] = Field(default=(), description="The analysis templates that it was made by.")
    operator_version: str = Field(description="Version of the operator that decided.")
    sequence: int = Field(ge=1, description="Number of the decision in the chain of its gate, from 1.")
    previous_hash: str = Field(description="Hash of the decision before, empty for the first of a chain.")
    hash: str = Field(description="Hash of this decision and of the one before.")
