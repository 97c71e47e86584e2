"""The images gate: what was judged must be what is promoted, so a release runs one image for each container.

Law: pure. The policy says what is ignored, told or held; nothing here aborts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from canary_operator.engine import running
from canary_operator.engine.look import Ground, Said
from canary_operator.model.caution import Caution, Matter
from canary_operator.model.decision import Snapshot
from canary_operator.model.policy import Images
from canary_operator.model.samples import Question, Samples
from canary_operator.model.verdict import Finding, HoldReason

_SHOWN = len("sha256:") + 12


@dataclass(frozen=True, slots=True)
class Look:
    """The images of the template and of the pods as they were when they were listed."""

    snapshot: Snapshot
    rules: Images

    def questions(self) -> tuple[Question, ...]:
        """Nothing: the API server knows."""
        return ()

    def judge(self, _samples: Samples) -> Said:
        """What is not what it was, or may become something else."""
        told = [(rule, said) for rule, said in self._troubles() if rule != "Ignore"]
        held = tuple(Finding(HoldReason.IMAGE_CHANGED, said) for rule, said in told if rule == "Hold")
        return Said(evidence=(), findings=held, cautions=tuple(Caution(Matter.IMAGES_FIXED, said) for _, said in told))

    def _troubles(self) -> Iterator[tuple[str, str]]:
        for container, image in running.mutable(self.snapshot):
            yield self.rules.mutable_tag, f"container {container} runs {image}, and a tag can be moved"
        current = running.now(self.snapshot)
        for container, digests in current.items():
            if len(digests) > 1:
                yield self.rules.different, f"pods of one version run different images as {container}: {_some(digests)}"
        for each in running.seen(self.snapshot):
            gone = tuple(digest for digest in each.digests if digest not in current.get(each.container, each.digests))
            if gone:
                now = _some(current[each.container])
                yield self.rules.changed, f"container {each.container} runs {now}, and ran {_some(gone)} before"


def _some(digests: Sequence[str]) -> str:
    return ", ".join(digest[:_SHOWN] for digest in digests)


def looks(ground: Ground) -> Sequence[Look]:
    """The images of the version that is released."""
    return (Look(ground.snapshot, ground.policy.images),)
