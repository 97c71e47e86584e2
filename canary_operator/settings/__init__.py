"""The operator's configuration: how it runs, never what is safe for a service (that is policy).

Law: read once, at a door, into one frozen tree. Every field names its unit, its default and why.
"""

from canary_operator.settings.audit import Audit
from canary_operator.settings.configuration import ENVIRONMENT_PREFIX, Settings, load_settings
from canary_operator.settings.lease import Lease
from canary_operator.settings.notifications import Notification, Slack, Webhook
from canary_operator.settings.providers import BasicAuth, Flavour, Provider, Tenancy, Tls
from canary_operator.settings.tracing import Tracing
from canary_operator.settings.web import VerdictDoor, Web

__all__ = [
    "ENVIRONMENT_PREFIX",
    "Audit",
    "BasicAuth",
    "Flavour",
    "Lease",
    "Notification",
    "Provider",
    "Settings",
    "Slack",
    "Tenancy",
    "Tls",
    "Tracing",
    "VerdictDoor",
    "Web",
    "Webhook",
    "load_settings",
]
