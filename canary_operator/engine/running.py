"""Which images the pods of a release have run, and which its template names.

Law: pure. An image is its digest: a mirror that serves the same content changes nothing.
"""

from collections.abc import Iterator, Mapping

from canary_operator.model.decision import Snapshot
from canary_operator.model.gate import SeenImages
from canary_operator.model.samples import Absent

# Digests of one container that are remembered: enough to show that they change, whoever keeps pushing.
_REMEMBERED = 8
_DIGEST = "@sha256:"


def now(snapshot: Snapshot) -> Mapping[str, tuple[str, ...]]:
    """The digests that each container of the canary's pods runs, sorted; without those that nobody knows."""
    found: dict[str, set[str]] = {}
    for container, image in _images(snapshot):
        found.setdefault(container, set()).add(image.rpartition("@")[2])
    return {container: tuple(sorted(digests)) for container, digests in sorted(found.items())}


def _images(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    pods = snapshot.facts.pods
    # What is put into pods from outside, such as a mesh's proxy, is not the release.
    own = {container for container, _ in snapshot.rollout.images}
    for pod in () if isinstance(pods, Absent) else pods.canary:
        yield from (each for each in pod.images if not own or each[0] in own)


def seen(snapshot: Snapshot) -> tuple[SeenImages, ...]:
    """The digests that each container has run since the release began, in the order in which they were seen."""
    known = {each.container: each.digests for each in snapshot.status.images}
    for container, digests in now(snapshot).items():
        known[container] = tuple(dict.fromkeys((*known.get(container, ()), *digests)))[:_REMEMBERED]
    return tuple(SeenImages(container=container, digests=digests) for container, digests in sorted(known.items()))


def mutable(snapshot: Snapshot) -> tuple[tuple[str, str], ...]:
    """(container, image) of the template for images that are named by a tag alone."""
    return tuple((container, image) for container, image in snapshot.rollout.images if image and _DIGEST not in image)
