"""What the operator tells about itself: metrics, log lines, traces.

Law: says what has happened, changes nothing. No metric, log line of a verdict or span is named anywhere else.
"""

from canary_operator.telemetry.logs import VerdictLog, configure_logging
from canary_operator.telemetry.metrics import Telemetry

__all__ = ["Telemetry", "VerdictLog", "configure_logging"]
