"""What the operator serves: probes, metrics, the verdict for Argo's own analysis, and the page."""

from canary_operator.web.board import Board
from canary_operator.web.one_gate import Sources
from canary_operator.web.page import Page
from canary_operator.web.server import Health, serve
from canary_operator.web.sight import Sight
from canary_operator.web.trail import Trail

__all__ = ["Board", "Health", "Page", "Sight", "Sources", "Trail", "serve"]
