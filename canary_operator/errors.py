"""The exceptions of canary-operator.

    OperatorError
    ├── ConfigurationError      a person wrote something wrong: place, value and bound in the text
    └── ClusterError            the API server did not do what was asked
        ├── ClusterUnavailable  it may work later: refused, timeout, 429, 5xx
        └── ClusterRefused      it will not work: 401, 403, 404 of a kind, 4xx

Law: expected outcomes (stale, gone, absent data, too little traffic) are values, not exceptions.
"""


class OperatorError(Exception):
    """The root of all of them."""


class ConfigurationError(OperatorError):
    """Something a person wrote cannot be used; the text names the place, the value and what is allowed."""


class ClusterError(OperatorError):
    """The API server did not do what was asked."""


class ClusterUnavailable(ClusterError):
    """The API server cannot answer now; asking again later may help."""


class ClusterRefused(ClusterError):
    """The API server said no; asking again will not help."""
