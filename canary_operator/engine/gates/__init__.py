"""The gates: independent files that do not know each other.

A gate says what it would like to know (``plan``) and what it makes of the answers (``judge``).
"""
