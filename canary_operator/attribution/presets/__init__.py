"""The presets.

Law: one file for each, and one line here. The order is that of the page; which are tried is for ``choosing``.
"""

from canary_operator.attribution.candidate import Preset
from canary_operator.attribution.presets import (
    contour,
    custom,
    istio,
    linkerd,
    nginx,
    pod_hash,
    pod_name,
    traefik,
)

POD_HASH, POD_NAME = pod_hash.PRESET, pod_name.PRESET

PRESETS: tuple[Preset, ...] = (
    POD_HASH,
    POD_NAME,
    istio.PRESET,
    nginx.PRESET,
    traefik.PRESET,
    linkerd.PRESET,
    contour.PRESET,
    custom.PRESET,
)
