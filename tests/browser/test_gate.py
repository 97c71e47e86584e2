"""One gate as a person sees it: its course, its records, and what changes while one looks."""

import re

import pytest
from playwright.sync_api import expect

from canary_operator.model.rollout import RolloutRef
from tests.web import town as made_up
from tests.web.town import a_record, an_evidence, held, promoting, regressing

API = RolloutRef("shop", "api-service")
PATH = "/gates/shop/api-service"


@pytest.fixture
def judged(stand):
    def judge(town):
        town.gate(API, held(API, since=town.now - 600), rollout=made_up.a_rollout(started=town.now - 600))
        made_up.walk(town, API, 60)
        specs = [a_record(API, number, 0.1, number) for number in range(1, 121)]
        dumped = [spec.model_dump(mode="json", by_alias=True, exclude_none=True) for spec in specs]
        town.records.bodies = [{"spec": spec} for spec in dumped]

    stand.do(judge)
    return stand


def test_the_course_is_drawn_and_told_in_words_and_as_a_table(visit, judged):
    page = visit(PATH)

    expect(page.locator(".plot canvas")).to_be_visible()
    expect(page.locator(".towards-now")).to_contain_text("Towards promote 62 %")
    page.get_by_text("The last points as a table").click()
    expect(page.locator("table.points tbody tr")).to_have_count(12)


def test_something_is_really_painted(visit, judged):
    page = visit(PATH)
    expect(page.locator(".plot canvas")).to_be_visible()

    colors = page.locator(".plot canvas").evaluate(
        """canvas => {
          const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
          const found = new Set();
          for (let i = 0; i < pixels.length; i += 4) found.add(pixels.slice(i, i + 4).join());
          return [...found];
        }"""
    )

    assert {"23,99,58,255", "168,34,26,255"} <= set(colors)


def test_a_change_is_seen_without_a_reload_and_what_is_open_stays_open(visit, judged):
    page = visit(PATH)
    page.evaluate("window.mark = 'still the same page'")
    page.get_by_text("The last points as a table").click()
    canvas = page.locator(".plot canvas").element_handle()

    def look(town):
        town.now += 15
        town.look(API, held(API, evidence=[an_evidence(towardsPromote=0.97)]))

    judged.do(look)

    expect(page.locator(".towards-now")).to_contain_text("Towards promote 97 %")
    expect(page.locator("table.points")).to_be_visible()
    expect(page.locator("table.points tbody tr").first).to_contain_text("97 %")
    assert canvas.evaluate("canvas => canvas.isConnected")
    assert page.evaluate("window.mark") == "still the same page"


def test_a_new_verdict_is_said_to_who_does_not_see(visit, judged):
    page = visit(PATH)

    judged.do(lambda town: town.look(API, promoting(API, since=town.now)))

    expect(page.locator(".head .word")).to_contain_text("Promote")
    expect(page.locator("#said")).to_contain_text("EvidenceSufficient")


def test_the_steps_say_where_the_release_is(visit, judged):
    page = visit(PATH)

    expect(page.locator("[aria-current=step]")).to_contain_text("pause of 10 min")
    expect(page.locator(".steps li")).to_have_count(7)


def test_the_records_are_read_on_the_page_and_the_older_ones_too(visit, judged):
    page = visit(PATH)

    page.get_by_role("link", name="Read the records of this Rollout").click()
    expect(page.locator("#decisions li").first).to_contain_text("Number 120")
    expect(page.locator("#decisions time").first).to_have_attribute("data-ago", re.compile("ago$"))
    page.get_by_role("link", name="Older decisions").click()
    expect(page.locator("#decisions li").first).to_contain_text("Number 70")

    assert page.url.endswith(PATH)


def test_a_restart_keeps_the_page_and_the_course_goes_on(visit, judged):
    page = visit(PATH)
    expect(page.locator(".plot canvas")).to_be_visible()

    judged.stop()
    expect(page.locator("#live")).to_contain_text("Not live since")
    judged.restart()
    expect(page.locator("#live")).to_have_text("Live")
    judged.do(lambda town: town.look(API, regressing(API, phase="Judging", since=town.now)))

    expect(page.locator(".head .word")).to_contain_text("CanaryRegression")
    expect(page.locator(".plot canvas")).to_be_visible()


def test_a_gate_that_is_deleted_is_said_to_be_gone(visit, judged):
    page = visit(PATH)

    judged.do(lambda town: town.delete(API))

    expect(page.locator("#live")).to_contain_text("This gate is gone")
    expect(page.get_by_role("heading", level=1)).to_have_text("api-service")


def test_nothing_on_it_can_be_pressed_that_writes(visit, judged):
    page = visit(PATH)

    assert page.locator("button, input, form").count() == 0
    expect(page.get_by_text("kubectl argo rollouts promote api-service -n shop")).to_be_visible()
