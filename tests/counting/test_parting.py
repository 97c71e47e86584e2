import dataclasses

from hypothesis import given, settings
from hypothesis import strategies as st

from canary_operator.counting import parting
from canary_operator.counting.parting import OTHER
from canary_operator.counting.tallies import Arm, Cell, Rules, Tally, Tick
from tests.counting.looking import count, every
from tests.counting.world import Chaos, World


def tick(end, **requests):
    cells = tuple(Cell(Arm.STABLE, "p", name, Tally(0, number)) for name, number in requests.items())
    return Tick(end, Tally(), Tally(0, sum(requests.values())), cells)


def test_the_busiest_strata_of_all_ticks_have_a_name_the_busiest_first():
    assert parting.named([tick(1, b=1, a=5), tick(2, c=9, b=6)]) == ("c", "b", "a")


def test_what_has_no_name_is_one_part():
    names = parting.named([tick(1, a=5, b=1, c=9)], most=2)

    assert names == ("c", "a")
    assert set(parting.by_stratum(tick(2, b=2, a=1, d=1), names)) == {"a", OTHER}


def test_without_labels_to_stratify_by_there_is_one_stratum():
    world = World(1, Chaos())
    _, ticks = count(world, every(15, world))

    assert parting.named(ticks) == ("",)


def test_pods_of_an_arm_are_told_apart():
    cells = (Cell(Arm.CANARY, "c", "a", Tally(1, 2)), Cell(Arm.CANARY, "c", "b", Tally(0, 2)))
    both = Tick(1.0, Tally(1, 4), Tally(), (*cells, Cell(Arm.STABLE, "s", "a", Tally(0, 1))))

    assert parting.by_pod(both, Arm.CANARY) == {"c": Tally(1, 4)}


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 3))
def test_the_parts_add_up_and_parting_changes_no_count(seed, most):
    world = World(seed, Chaos(rate=0.3))
    plain = count(world, every(15, world))

    state, ticks = count(world, every(15, world), rules=Rules(stratify_by=("route",)))

    names = parting.named(ticks, most)
    assert state == plain[0]
    assert [dataclasses.replace(each, cells=()) for each in ticks] == [
        dataclasses.replace(each, cells=()) for each in plain[1]
    ]
    assert set(names) <= {'route="/"', 'route="/a"', 'route="/b"'}
    for each in ticks:
        strata = parting.by_stratum(each, names)
        assert sum((part.canary for part in strata.values()), Tally()) == each.canary
        assert sum((part.stable for part in strata.values()), Tally()) == each.stable
        assert sum(parting.by_pod(each, Arm.STABLE).values(), Tally()) == each.stable


def test_each_pod_and_route_has_what_it_served():
    world = World(7, Chaos(restarts=0, deaths=0, scale_ups=0, outages=0, target_gaps=0))
    state, ticks = count(world, every(15, world), rules=Rules(stratify_by=("route",)))
    until = state.watermark_ms / 1000

    for process in world.processes:
        for route in ("/", "/a", "/b"):
            mine = [
                cell.tally
                for each in ticks
                for cell in each.cells
                if (cell.pod, cell.stratum) == (process.name, f'route="{route}"')
            ]
            assert sum(mine, Tally()) == world.scraped_of(process, route, until)
