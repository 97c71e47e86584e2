"""Whatever things are called: a version's matchers find all of its series and no others."""

import re
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from canary_operator.attribution import choosing
from canary_operator.attribution.subject import Custom
from canary_operator.model.indicator import Matcher, MatchKind, Selector
from canary_operator.slo import injection
from tests.attribution.shapes import KUMA, SHAPES, Names, strangers, versions

LABELS = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
DOTTED = st.from_regex(r"[a-z]([a-z0-9.-]{0,8}[a-z0-9])?", fullmatch=True)
HASHES = st.text("bcdf2456789", min_size=5, max_size=10)
PORTS = st.from_regex(r"[0-9]{1,5}|[a-z][a-z0-9]{0,5}", fullmatch=True)
ENDS = st.sampled_from(["-canary", "-v2", "2", "-80", "-http", "--x"])
SPECIAL = ".*+?()|[]{}^$\\"
AWKWARD = st.tuples(
    st.text("ab" + SPECIAL, max_size=3), st.sampled_from(SPECIAL), st.text("ab" + SPECIAL, max_size=3)
).map("".join)
PLAIN = str.maketrans(SPECIAL, "c" * len(SPECIAL))


@st.composite
def names(draw):
    service, rollout = draw(LABELS), draw(DOTTED)
    services = [service, service + draw(ENDS)]
    if draw(st.booleans()):
        services.reverse()
    canary_hash, stable_hash = draw(st.lists(HASHES, min_size=2, max_size=2, unique=True))
    return Names(draw(LABELS), rollout, canary_hash, stable_hash, *services, draw(DOTTED), draw(PORTS))


def beside(own, draw_hash, end):
    """Who else is there: the same in another namespace, and Rollouts that are called nearly so."""
    older = replace(own, canary_hash=draw_hash, stable_hash=draw_hash + "2")
    return [
        replace(own, namespace=own.namespace + end),
        replace(
            older,
            rollout=own.rollout + end,
            canary_service=own.canary_service + end + "z",
            stable_service=own.stable_service + end + "z",
        ),
        replace(
            older,
            rollout=own.rollout.replace(".", "x") + "y",
            canary_service="quite-another-one-canary",
            stable_service="quite-another-one",
        ),
    ]


def way_of(name, subject):
    """The way of that name, None where it does not apply."""
    trial = choosing.trial(name.partition(" ")[0], subject, Selector("x"))
    return next((way for way in trial.candidates if way.name == name), None)


def holds(matcher, labels):
    value = labels.get(matcher.label, "")
    match matcher.kind:
        case MatchKind.EQUAL:
            return value == matcher.value
        case MatchKind.REGEX:
            return re.fullmatch(matcher.value, value, re.DOTALL) is not None
    raise AssertionError(matcher)


def found(identity, series):
    return [labels for labels in series if all(holds(matcher, labels) for matcher in identity)]


@pytest.mark.parametrize("name", SHAPES)
@settings(max_examples=40)
@given(own=names(), older=HASHES, end=ENDS)
def test_a_versions_matchers_find_its_series_and_no_others(name, own, older, end):
    assume(not {own.canary_hash, own.stable_hash} & {older, older + "2"})
    shape = SHAPES[name]
    way = way_of(name, own.subject(custom=shape.custom))
    # To Traefik two Services may be one: then nothing is offered.
    assume(way is not None)
    canary, stable = versions(shape, own)
    # Series that are equal in every label are one: nobody could tell them apart.
    others = [one for one in strangers(shape, own, beside(own, older, end)) if one not in [*canary, *stable]]
    assert found(way.canary, [*canary, *stable, *others]) == canary
    assert found(way.stable, [*canary, *stable, *others]) == stable


@pytest.mark.parametrize("name", SHAPES)
@settings(max_examples=25)
@given(texts=st.lists(AWKWARD, min_size=7, max_size=7, unique=True))
def test_what_comes_from_the_cluster_is_a_value_and_never_a_pattern(name, texts):
    own = Names(*texts)
    plain = Names(*(text.translate(PLAIN) for text in texts))
    shape = SHAPES[name]
    way = way_of(name, own.subject(custom=shape.custom))
    canary, stable = versions(shape, own)
    others = [one for pair in versions(shape, plain) for one in pair if one not in [*canary, *stable]]
    assert found(way.canary, [*canary, *stable, *others]) == canary
    assert found(way.stable, [*canary, *stable, *others]) == stable


@pytest.mark.parametrize("name", SHAPES)
@settings(max_examples=15)
@given(texts=st.lists(AWKWARD | st.text(min_size=1, max_size=6), min_size=7, max_size=7, unique=True))
def test_what_is_rendered_reads_back_as_what_was_meant(name, texts):
    way = way_of(name, Names(*texts).subject(custom=Custom(KUMA, KUMA)))
    assume(way is not None)
    selector = Selector("x", (Matcher("job", MatchKind.EQUAL, texts[0]),))
    for identity in (way.canary, way.stable):
        assert injection.selectors(choosing.rendered(selector, identity)) == (choosing.narrowed(selector, identity),)
