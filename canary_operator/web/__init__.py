"""What the operator serves: probes and metrics."""

from canary_operator.web.server import Health, serve

__all__ = ["Health", "serve"]
