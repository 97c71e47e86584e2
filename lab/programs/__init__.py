"""The programs of the lab: found on this machine, or built from pinned Go modules.

Law: this room knows where programs come from; it starts none of them for longer than `--version`.
"""
