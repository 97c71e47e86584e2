"""Who is told of new verdicts.

Law: an address that is a secret is a file that is read again, never a value of the configuration.
"""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from canary_operator.model.verdict import AbortReason, HoldReason, PromoteReason, Verdict
from canary_operator.settings.sections import Address, Headers, Section, seconds_between
from canary_operator.settings.sentences import Sentence

_REASONS = {reason.value for reasons in (PromoteReason, HoldReason, AbortReason) for reason in reasons}
# What belongs to the body or to its signature.
_OURS = {"content-type", "content-length", "transfer-encoding", "host"}


def _require_reason(name: str) -> str:
    if name not in _REASONS:
        raise ValueError(f"should be one of {', '.join(sorted(_REASONS))}")
    return name


def _require_free(headers: Headers) -> Headers:
    taken = sorted(name for name in headers if name.lower() in _OURS or name.lower().startswith("webhook-"))
    if taken:
        raise ValueError(f"is set by the operator: {', '.join(taken)}")
    return headers


class Slack(Section):
    """A channel of Slack's, by its incoming webhook."""

    url_file: Path = Field(
        description="File with the incoming webhook's address, read again for every message. No default, and no `url`: "
        "whoever knows the address can write to the channel."
    )


class Webhook(Section):
    """Anything that takes CloudEvents: structured JSON by POST."""

    url: Address | None = Field(
        default=None, description="http(s)://host[:port][/path]. Default none: then `urlFile` is needed."
    )
    url_file: Path | None = Field(
        default=None,
        description="File with the address, read again for every message, for one that is a secret. Default none: then "
        "`url` is needed.",
    )
    secret_file: Path | None = Field(
        default=None,
        description="File with the secret that bodies are signed with, `whsec_` and base64, read again for every "
        "message. Default none: bodies are not signed, and whoever receives them cannot tell who wrote them.",
    )
    headers: Annotated[Headers, AfterValidator(_require_free)] = Field(
        default={}, repr=False, description="Sent with every message. Default none."
    )

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.url is None) is (self.url_file is None):
            raise ValueError("should have one of url and urlFile")
        return self


class Notification(Section):
    """One target, and which new verdicts it is told of."""

    name: str = Field(
        pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
        description="What logs and metrics call it, a DNS label. No default.",
    )
    slack: Slack | None = Field(default=None, description="Default none: then `webhook` is needed.")
    webhook: Webhook | None = Field(default=None, description="Default none: then `slack` is needed.")
    verdicts: tuple[Verdict, ...] = Field(
        default=(),
        description="`Promote`, `Hold`, `Abort`. Default, where `reasons` is empty too: `Promote`, `Abort` and those "
        "holds that need a person, because the others pass by themselves and every step has one.",
    )
    reasons: tuple[Annotated[str, AfterValidator(_require_reason)], ...] = Field(
        default=(), description="Words of reasons.md. Default empty: all that `verdicts` has."
    )
    namespaces: tuple[str, ...] = Field(default=(), description="Names. Default empty: all that the operator watches.")
    hold_after: Annotated[float, seconds_between("0s", "1h")] = Field(
        default=60.0,
        description="Duration from when a hold has first come at a step until it is told, if it is there then. Default "
        "1m: a pause often begins with holds that last until its first samples, which is two scrapes at most.",
    )
    template: Sentence | None = Field(
        default=None,
        description="The sentence: text, fields, conditions on them; 2000 characters. Default: verdict, reason, "
        "Rollout and the gate's sentence.",
    )

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.slack is None) is (self.webhook is None):
            raise ValueError("should have one of slack and webhook")
        return self
