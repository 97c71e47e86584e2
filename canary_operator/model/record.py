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
    outcome: Literal["Applied", "Stale", "Gone", "Refused", "Unknown"] = Field(
        description="Applied; Stale: the object had moved on, nothing was written; Gone; Refused by the API server; "
        "Unknown: the reply was lost, and the object had moved on before anybody could tell."
    )
    message: str = Field(default="", description="What the API server said, where it matters.")
    code: int | None = Field(
        default=None, description="HTTP status of its answer; absent where nothing was sent, or no answer was heard."
    )


class Actor(Document):
    """Whose decision it was."""

    kind: Literal["Operator", "Person"] = Field(description="Person: by an override of theirs.")
    name: str = Field(default="", description="The person, as the override's requestedBy says; empty for the operator.")
    reason: str = Field(
        default="", description="The override's reason; empty where it was gone before the outcome was known."
    )


class RunningImage(Document):
    """An image that pods of a judged version run."""

    version: Literal["Canary", "Stable"] = Field(description="Canary or Stable.")
    container: str = Field(description="Name of the container.")
    image: str = Field(description="The image with its digest, as the kubelet reports it (imageID).")
    pods: int = Field(description="How many pods of the version run it.")


class Asked(Document):
    """A question that was put to a provider, and what came back."""

    provider: str = Field(description="Name of the provider in the operator's configuration.")
    query: str = Field(description="What was asked, as PromQL, cut at 1024 characters.")
    at: str = Field(json_schema_extra={"format": "date-time"}, description="RFC 3339 time it was evaluated at.")
    series: int | None = Field(default=None, description="How many series came back; absent where there was no answer.")
    digest: str = Field(default="", description="SHA-256 of the answer; empty where there was none.")
    absent: str = Field(default="", description="Why there was no answer, as a hold reason and a sentence.")


class Used(Document):
    """A definition that the decision was made by."""

    name: str = Field(description="Name of the object; a cluster template is written as cluster/name.")
    digest: str = Field(description="SHA-256 of its spec; texts that may be credentials are in it as their hashes.")
    generation: int | None = Field(default=None, description="Its metadata.generation, where the object has one.")


class RecordedInputs(Document):
    """Everything that the decision was computed from, so that ``canary-operator replay`` can compute it again."""

    digest: str = Field(description="SHA-256 of what data holds, as text.")
    size: int = Field(description="Bytes of it before it was compressed.")
    data: str = Field(description="The inputs as JSON, compressed with zlib, in base64.")
    left_out: str = Field(default="", description="What was too large to be kept, with its size; empty for nothing.")


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
    actor: Actor = Field(description="Whose decision it was.")
    evidence: tuple[Evidence, ...] = Field(
        default=(), description="What each gate knew: integers, measurements and the state of its test."
    )
    asked: tuple[Asked, ...] = Field(default=(), description="What was asked for it, in this look.")
    images: tuple[RunningImage, ...] = Field(
        default=(), description="What the pods of both versions ran; empty where pods were not asked for."
    )
    policies: tuple[Used, ...] = Field(default=(), description="The policies that the decision was made by.")
    templates: tuple[Used, ...] = Field(default=(), description="The analysis templates that it was made by.")
    operator_version: str = Field(description="Version of the operator that decided.")
    configuration: str = Field(description="SHA-256 of the operator's configuration, without its secrets.")
    inputs: RecordedInputs = Field(description="What it was computed from; not for people.")
    sequence: int = Field(ge=1, description="Number of the decision in the chain of its gate, from 1.")
    previous_hash: str = Field(description="Hash of the decision before, empty for the first of a chain.")
    hash: str = Field(description="Hash of this decision and of the one before.")
