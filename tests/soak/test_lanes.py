"""Where a release has ended is told from the Rollout and its gate, and never from those of the release before."""

import pytest

from tests.soak import lanes
from tests.soak.judging import Course
from tests.soak.releases import End, Ending, Release, Shape, Truth

PROMOTED = {"stableRS": "new", "phase": "Healthy"}
ABORTED = {"stableRS": "old", "phase": "Degraded", "abort": True}


@pytest.mark.parametrize(
    ("status", "gate", "end"),
    [
        (PROMOTED, {"endedBy": "Gate", "verdict": "Promote"}, End.PROMOTED_BY_GATE),
        (PROMOTED, {"endedBy": "Person", "verdict": "Hold"}, End.PROMOTED_BY_PERSON),
        (PROMOTED, {"endedBy": "Argo", "verdict": "Hold"}, End.OTHER),
        (PROMOTED, {"endedBy": "Gate", "verdict": "Abort"}, End.OTHER),
        (PROMOTED, {"endedBy": "Gate", "verdict": "Promote", "phase": "Judging"}, End.NONE),
        (ABORTED, {"endedBy": "Gate", "verdict": "Abort"}, End.ABORTED_BY_GATE),
        (ABORTED, {"endedBy": "Person", "verdict": "Hold"}, End.ABORTED_BY_PERSON),
        (ABORTED, {"endedBy": "Gate", "verdict": "Abort", "rollout": {"podHash": "old"}}, End.NONE),
        ({"stableRS": "old", "phase": "Progressing"}, {"endedBy": "Gate", "verdict": "Promote"}, End.NONE),
    ],
)
def test_a_release_has_ended_where_the_rollout_and_its_gate_say_so(status, gate, end):
    course = Course(Release("web", 2, Truth.GOOD, Ending.BY_ITSELF), Shape.BOTH, 0.0, pod_hash="new")
    said = {"phase": "Ended", "rollout": {"podHash": "new"}, **gate}
    assert lanes._end(course, {"status": status}, said) is end
