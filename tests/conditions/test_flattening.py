"""Several templates of one analysis become one list of metrics, as Argo puts them together."""

import pytest

from canary_operator.conditions.flattening import flatten, gather
from canary_operator.errors import ConfigurationError
from canary_operator.model.rollout import TemplateRef


def spec(*metrics, args=(), dry=(), templates=()):
    return {
        "metrics": [{"name": name} for name in metrics],
        "args": list(args),
        "dryRun": [{"metricName": name} for name in dry],
        "templates": [{"templateName": n.removeprefix("c/"), "clusterScope": n.startswith("c/")} for n in templates],
    }


def ref(name):
    return TemplateRef(name.removeprefix("c/"), cluster=name.startswith("c/"))


def gathered(names, **specs):
    known = {ref(name.replace("c_", "c/")): body for name, body in specs.items()}
    return gather([ref(name) for name in names], known.__getitem__)


def names_of(templates):
    return [f"{'c/' if each.ref.cluster else ''}{each.ref.name}" for each in templates]


# Columns: what the analysis names, the templates, the order that comes out.
GATHERED = {
    "one": (["a"], {"a": spec()}, ["a"]),
    "in their order": (["b", "a"], {"a": spec(), "b": spec()}, ["b", "a"]),
    "each once": (["a", "a"], {"a": spec()}, ["a"]),
    "those it names after itself": (["a"], {"a": spec(templates=["b"]), "b": spec()}, ["a", "b"]),
    "deep": (["a"], {"a": spec(templates=["b"]), "b": spec(templates=["c"]), "c": spec()}, ["a", "b", "c"]),
    "named twice, there once": (
        ["a", "b"],
        {"a": spec(templates=["c"]), "b": spec(templates=["c"]), "c": spec()},
        ["a", "c", "b"],
    ),
    "cluster templates last": (
        ["c/a", "a"],
        {"c_a": spec(templates=["b"]), "a": spec(), "b": spec()},
        ["b", "a", "c/a"],
    ),
}


@pytest.mark.parametrize(("names", "specs", "expected"), GATHERED.values(), ids=GATHERED.keys())
def test_templates_are_gathered(names, specs, expected):
    assert expected == names_of(gathered(names, **specs))


CIRCLES = {
    "itself": ({"a": spec(templates=["a"])}, "a -> a"),
    "through another": ({"a": spec(templates=["b"]), "b": spec(templates=["a"])}, "a -> b -> a"),
    "further down": (
        {"a": spec(templates=["b"]), "b": spec(templates=["c"]), "c": spec(templates=["b"])},
        "b -> c -> b",
    ),
}


@pytest.mark.parametrize(("specs", "circle"), CIRCLES.values(), ids=CIRCLES.keys())
def test_a_circle_is_a_mistake(specs, circle):
    with pytest.raises(ConfigurationError, match=f"in a circle: {circle}$"):
        gathered(["a"], **specs)


def test_metrics_and_rules_are_put_one_after_the_other():
    found = flatten(gathered(["a", "b"], a=spec("x", "y", dry=["x"]), b=spec("z", dry=["z"])))

    assert [raw["name"] for _, _, raw in found.metrics] == ["x", "y", "z"]
    assert [at for _, at, _ in found.metrics] == [0, 1, 0]
    assert found.dry_run == ("x", "z")


def arg(name, value=None):
    return {"name": name} if value is None else {"name": name, "value": value}


# Columns: args of the first template, args of the second, what comes out.
ARGUMENTS = {
    "different names": ([arg("a", "1")], [arg("b", "2")], [arg("a", "1"), arg("b", "2")]),
    "the same value twice": ([arg("a", "1")], [arg("a", "1")], [arg("a", "1")]),
    "a value after none": ([arg("a")], [arg("a", "1")], [arg("a", "1")]),
    "none after a value": ([arg("a", "1")], [arg("a")], [arg("a", "1")]),
    "an empty value is one": ([arg("a", "")], [arg("a")], [arg("a", "")]),
}


@pytest.mark.parametrize(("first", "second", "expected"), ARGUMENTS.values(), ids=ARGUMENTS.keys())
def test_arguments_are_put_together(first, second, expected):
    assert expected == list(flatten(gathered(["a", "b"], a=spec(args=first), b=spec(args=second))).arguments)


# Columns: two templates, Argo's words.
REFUSED = {
    "two metrics of one name": (spec("x"), spec("x"), "two metrics have the same name 'x'"),
    "two rules of one name": (
        spec("x", dry=["x"]),
        spec("y", dry=["x"]),
        "two Dry-Run metric rules have the same name 'x'",
    ),
    "two values": (
        spec(args=[arg("a", "1")]),
        spec(args=[arg("a", "2")]),
        "Argument `a` specified multiple times with different values: '1', '2'",
    ),
}


@pytest.mark.parametrize(("first", "second", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_does_not_fit_together_is_told_in_argos_words(first, second, said):
    with pytest.raises(ConfigurationError) as caught:
        flatten(gathered(["a", "b"], a=first, b=second))

    assert said == str(caught.value)


def test_a_template_that_is_named_without_a_name_is_told_like_one_that_is_not_there():
    def find(ref):
        if ref.name != "outer":
            raise ConfigurationError(f"{ref.name} does not exist")
        return {"templates": [{"clusterScope": False}]}

    with pytest.raises(ConfigurationError, match="None does not exist"):
        gather([TemplateRef("outer")], find)
