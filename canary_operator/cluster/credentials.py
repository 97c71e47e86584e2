"""Who the operator is to the API server: the service account of its pod, or a kubeconfig.

Law: tokens rotate, so whatever was read from a file is read again every minute. Nothing here is logged.
"""

import time
from collections.abc import Callable
from typing import Any

import yaml
from kubernetes import config
from kubernetes.client import Configuration

from canary_operator.errors import ClusterRefused

# Kubernetes itself renews a projected token when a fifth of its life, at least two minutes, is left.
REREAD_SECONDS = 60.0

# The library ships half of its types: its functions count as untyped ones.
_loaders: Any = config


def load_credentials(kubeconfig: str | None = None) -> Configuration:
    """How to reach the API server.

    In the order of kopf's own login, so that watching and writing never mean different clusters: the pod's
    service account, then KUBECONFIG or ``~/.kube/config``. A kubeconfig that is named outranks both.

    Raises:

        ClusterRefused: if there is neither, or it cannot be read.
    """
    configuration = Configuration()
    try:
        if kubeconfig is None and _load_in_cluster(configuration):
            return configuration
        _load_kubeconfig(kubeconfig, configuration)
    except (config.ConfigException, OSError, yaml.YAMLError) as error:
        raise ClusterRefused(f"no credentials for the API server: {error}") from error
    return configuration


def _load_in_cluster(configuration: Configuration) -> bool:
    try:
        # The loader installs a hook that reads the token again every minute.
        _loaders.load_incluster_config(client_configuration=configuration)
    except config.ConfigException:
        return False
    return True


def _load_kubeconfig(path: str | None, configuration: Any) -> None:
    def load(target: Configuration) -> None:
        _loaders.load_kube_config(config_file=path, client_configuration=target, persist_config=False)

    load(configuration)
    if configuration.api_key:
        configuration.refresh_api_key_hook = _Rereading(load)


class _Rereading:
    """Takes a token again from where it came from; the last good one stays while that cannot be read."""

    def __init__(self, load: Callable[[Configuration], None]) -> None:
        self._load = load
        self._due = time.monotonic() + REREAD_SECONDS

    def __call__(self, configuration: Configuration) -> None:
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + REREAD_SECONDS
        fresh = Configuration()
        try:
            self._load(fresh)
        except (config.ConfigException, OSError, yaml.YAMLError):
            return
        configuration.api_key = fresh.api_key
