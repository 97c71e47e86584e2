"""Messages to other programs over HTTP: signed, posted once, and how long one waits before the next attempt.

Law: addresses and secrets are the configuration's alone, and in no text of this room.
"""
