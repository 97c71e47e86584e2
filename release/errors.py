"""What stops a release.

Law: the text says what is wrong and what to do; there is no traceback.
"""


class ReleaseError(Exception):
    """A release that must not be made as things are."""
