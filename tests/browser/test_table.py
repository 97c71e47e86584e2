"""All gates as a person sees them: looking for some, and being told what changes."""

import re

from playwright.sync_api import expect

from canary_operator.model.rollout import RolloutRef
from tests.web import town as made_up
from tests.web.town import broken, held, promoting, regressing

API = RolloutRef("shop", "api-service")
NEW = RolloutRef("shop", "a-new-one")


def rows(page):
    return page.locator("tr.gate:visible")


def mark(page):
    """Leave a mark that a reload would wipe away."""
    page.evaluate("window.mark = 'still the same page'")


def is_marked(page):
    return page.evaluate("window.mark") == "still the same page"


def holding(stand, ref=API):
    stand.do(lambda town: town.gate(ref, held(ref, since=town.now), rollout=made_up.a_rollout(started=town.now)))


def test_what_needs_a_person_stands_first(visit):
    page = visit()

    headings = page.locator("tr.group:visible")
    expect(headings.first).to_contain_text("Needs a person")
    expect(headings).to_contain_text(["Needs a person", "Being judged", "Ended", "No release"])


def test_words_find_gates_while_one_types_and_stand_in_the_address(visit):
    page = visit()

    page.get_by_label("Name, reason or words").press_sequentially("shop/api-service", delay=5)

    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("api-service")
    expect(page).to_have_url(re.compile(r"\?q=shop%2Fapi-service"))
    expect(page.get_by_label("Name, reason or words")).to_be_focused()


def test_a_namespace_a_verdict_and_words_narrow_each_other(visit):
    page = visit()

    page.get_by_label("Namespace").select_option("shop")
    expect(page).to_have_url(re.compile("namespace=shop"))
    page.get_by_role("link", name=re.compile("^No verdict")).click()
    expect(page).to_have_url(re.compile("namespace=shop.*verdict=None|verdict=None.*namespace=shop"))
    page.get_by_label("Name, reason or words").fill("release")

    expect(page).to_have_url(re.compile("q=release"))
    expect(page).to_have_url(re.compile("verdict=None"))
    for row in rows(page).all():
        expect(row).to_contain_text("shop")
        expect(row).to_contain_text("No verdict")


def test_a_filter_that_nothing_matches_says_so(visit):
    page = visit()

    page.get_by_label("Name, reason or words").fill("nobody is called that")

    expect(page.get_by_text("No gate is like that.")).to_be_visible()
    expect(page.locator("table.gates")).to_be_hidden()


def test_a_change_is_seen_without_a_reload_and_said_to_who_does_not_see(visit, stand):
    holding(stand)
    page = visit()
    mark(page)

    stand.do(lambda town: town.look(API, regressing(API, since=town.now)))

    row = page.locator('[id="gate-shop/api-service"]')
    expect(row).to_contain_text("CanaryRegression")
    expect(page.locator("#group-person")).to_contain_text("api-service")
    expect(page.locator("#said")).to_contain_text("api-service: Abort CanaryRegression")
    assert is_marked(page)


def test_rows_that_come_and_go_keep_the_order_and_the_counts(visit, stand):
    page = visit()
    before = int(page.locator("#verdicts a", has_text="All").locator(".count").inner_text())

    stand.do(lambda town: town.gate(NEW, broken(NEW), rollout=made_up.a_rollout(1)))
    expect(page.locator('[id="gate-shop/a-new-one"]')).to_be_visible()
    expect(page.locator("#verdicts a", has_text="All").locator(".count")).to_have_text(str(before + 1))
    keys = page.locator("#group-person tr.gate").evaluate_all("rows => rows.map((row) => row.dataset.key)")
    assert keys == sorted(keys)

    stand.do(lambda town: town.delete(NEW))
    expect(page.locator('[id="gate-shop/a-new-one"]')).to_have_count(0)
    expect(page.locator("#verdicts a", has_text="All").locator(".count")).to_have_text(str(before))


def test_a_gate_that_is_not_looked_for_any_more_leaves_and_comes_back(visit, stand):
    holding(stand)
    page = visit("/?verdict=Hold&namespace=shop")
    row = page.locator('[id="gate-shop/api-service"]')
    expect(row).to_be_visible()

    stand.do(lambda town: town.look(API, promoting(API, since=town.now)))
    expect(row).to_have_count(0)

    stand.do(lambda town: town.look(API, held(API, since=town.now)))
    expect(row).to_be_visible()


def test_after_a_filter_it_is_told_what_the_new_table_is_about(visit, stand):
    holding(stand)
    page = visit()
    page.get_by_role("link", name=re.compile("^Promote")).click()
    row = page.locator('[id="gate-shop/api-service"]')
    expect(row).to_have_count(0)

    stand.do(lambda town: town.look(API, promoting(API, since=town.now)))

    expect(row).to_be_visible()
    expect(page.locator("#verdicts [aria-current]")).to_contain_text("Promote")


def test_a_link_that_has_the_focus_keeps_it_when_its_row_changes(visit, stand):
    holding(stand)
    page = visit()
    link = page.locator('[id="gate-shop/api-service"] a')
    link.focus()

    stand.do(lambda town: town.look(API, promoting(API, since=town.now)))

    expect(page.locator('[id="gate-shop/api-service"]')).to_contain_text("Promote")
    expect(link).to_be_focused()


def test_a_click_opens_the_gate(visit, stand):
    holding(stand)
    page = visit()

    page.get_by_role("link", name="api-service").first.click()

    expect(page.get_by_role("heading", level=1)).to_have_text("api-service")


def test_a_stopped_operator_is_shown_as_not_live_and_a_new_one_as_live_with_what_it_knows(visit, stand):
    holding(stand)
    page = visit()
    mark(page)

    stand.stop()
    expect(page.locator("#live")).to_contain_text("Not live since")
    expect(page.locator("#live time")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d UTC"))
    stand.town.gate(API, regressing(API, since=stand.town.now))
    stand.restart()

    expect(page.locator("#live")).to_have_text("Live")
    expect(page.locator("#group-person")).to_contain_text("api-service")
    assert is_marked(page)
    stand.do(lambda town: town.gate(NEW, broken(NEW), rollout=made_up.a_rollout(1)))
    expect(page.locator('[id="gate-shop/a-new-one"]')).to_be_visible()


def test_two_hundred_gates_are_a_table_that_a_filter_cuts_to_one(visit, stand):
    stand.do(lambda town: made_up.populate(town, 200))
    page = visit()
    expect(rows(page)).to_have_count(200)

    page.get_by_label("Name, reason or words").fill("media/mail-service")

    expect(rows(page)).to_have_count(1)
