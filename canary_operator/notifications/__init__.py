"""Telling people and programs of new verdicts.

Law: nobody who decides waits for anybody who is told, and nothing that goes wrong here goes further than a count and a
line in the log. Addresses are secrets: they are neither logged nor counted by.
"""

from canary_operator.notifications.notifier import Notifier
from canary_operator.notifications.target import Outcome

__all__ = ["Notifier", "Outcome"]
