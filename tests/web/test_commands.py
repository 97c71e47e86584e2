"""What a person would type: lines that a shell reads as they are meant."""

import json
import shlex

from canary_operator.model.policy import CanaryGateSpec
from canary_operator.model.rollout import RolloutRef
from canary_operator.web.commands import commands
from tests.builders import T0


def test_the_commands_name_the_rollout_and_its_namespace():
    lines = [command.line for command in commands(RolloutRef("shop", "api"), T0)]

    assert lines[0] == "kubectl argo rollouts promote api -n shop"
    assert lines[1] == "kubectl argo rollouts abort api -n shop"


def test_an_override_is_one_that_the_gate_accepts_and_it_ends_in_an_hour():
    line = commands(RolloutRef("shop", "api"), T0)[2].line

    words = shlex.split(line)
    spec = CanaryGateSpec.model_validate(json.loads(words[-1])["spec"])
    assert words[:6] == ["kubectl", "patch", "canarygate", "api", "-n", "shop"]
    assert spec.override.expires_at == "2026-09-14T11:00:00Z"


def test_a_hostile_name_stays_one_word():
    name = "a; rm -rf $HOME 'x' `id`"

    for command in commands(RolloutRef("n s", name), T0):
        assert name in shlex.split(command.line)
