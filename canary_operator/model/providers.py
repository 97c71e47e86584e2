"""Which metrics provider an address means.

Law: an address is text that a tenant may have written. It only ever selects a provider that the
operator's configuration names; nothing connects to the address itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from canary_operator.model.samples import Absent
from canary_operator.model.verdict import HoldReason

DEFAULT_PROVIDER = "default"

_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_QUOTED = 200


@dataclass(frozen=True, slots=True)
class ProviderAddresses:
    """What may be said about providers where a tenant chooses one.

    Args:

        by_name: the normalised addresses of every provider, in the order of the configuration.

        by_namespace: the providers that several tenants share: every selector of a question to one of them must
            carry the namespace of the Rollout that it is asked for (``slo.injection.require_matcher``).
    """

    by_name: Mapping[str, tuple[str, ...]]
    by_namespace: frozenset[str] = frozenset()

    def provider_for(self, address: str | None) -> str | None:
        """Name the provider that ``address`` means, None when it means none.

        No address (None or blank) means the provider called ``default``. When two providers list
        the same address, the first of the configuration is meant.
        """
        if address is None or not address.strip():
            return DEFAULT_PROVIDER if DEFAULT_PROVIDER in self.by_name else None
        wanted = normalise_address(address.strip())
        if wanted is None:
            return None
        return next((name for name, own in self.by_name.items() if wanted in own), None)


def resolve_address(address: str | None, providers: ProviderAddresses) -> str | Absent:
    """Name the provider that a template's ``address`` means.

    Returns: the provider's name, or an Absent with CONFIGURATION_ERROR that says what is allowed.
    """
    name = providers.provider_for(address)
    if name is not None:
        return name
    return Absent(HoldReason.CONFIGURATION_ERROR, _refusal(address, providers))


def normalise_address(text: str) -> str | None:
    """Bring an http(s) address to one spelling, None when it is no such address.

    Scheme and host become lower case, the default port and slashes at the end are dropped.
    An address with credentials, a query or a fragment is none: those would be silently lost.
    """
    # urlsplit drops tabs and line ends without a word, so two different texts would look equal.
    if not text.isprintable() or any(character.isspace() for character in text):
        return None
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc or "?" in text or "#" in text:
        return None
    return f"{parts.scheme}://{_authority(parts, port)}{parts.path.rstrip('/')}"


def _authority(parts: SplitResult, port: int | None) -> str:
    host = parts.hostname or ""
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{bracketed}:{port}"


def _refusal(address: str | None, providers: ProviderAddresses) -> str:
    if address is None or not address.strip():
        known = ", ".join(providers.by_name) or "none"
        return f"no address is given and no provider is called {DEFAULT_PROVIDER!r}; providers: {known}"
    allowed = ", ".join(sorted({own for every in providers.by_name.values() for own in every})) or "none"
    return f"the address {_quoted(address)} is not allowed; allowed addresses: {allowed}"


def _quoted(address: str) -> str:
    # What stands before an @ may be a password, and this text ends in a status that many can read.
    if "@" in address:
        return "(it holds credentials, so it is not shown)"
    shown = address if len(address) <= _MAX_QUOTED else address[:_MAX_QUOTED] + "…"
    return ascii(shown)
