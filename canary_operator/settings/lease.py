"""Which replica may write."""

from typing import Annotated

from pydantic import Field

from canary_operator.settings.sections import Section, seconds_between


class Lease(Section):
    """Which of several replicas may write: the one that holds a Lease. The others watch, and take over."""

    enabled: bool = Field(
        default=True,
        description="false: writes without asking, for one replica only. Default true: two writers are never wanted.",
    )
    namespace: str | None = Field(
        default=None,
        min_length=1,
        description="Where the Lease is. Default: POD_NAMESPACE, else the pod's namespace, else canary-operator.",
    )
    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        description="Name of the Lease. Default: canary-operator, and with --namespace a hash of the namespaces behind "
        "it, so that operators of different namespaces do not wait for each other. Give a name where the namespaces of "
        "one operator may change: before and after it is the same Lease then.",
    )
    duration: Annotated[float, seconds_between("2s", "1h")] = Field(
        default=15.0,
        description="Duration after which another replica takes over from one that is gone; one that cannot renew "
        "begins no write in the last third of it. Default 15s: what Kubernetes' own controllers use.",
    )
