"""For everybody: small screens, the dark, the keyboard, readers of screens, no script, and hostile neighbours."""

import itertools

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from canary_operator.model.rollout import RolloutRef
from tests.web import town as made_up
from tests.web.town import a_record, an_evidence, entry, held

API = RolloutRef("shop", "api-service")
LONG = RolloutRef("shop", ("a-very-long-name-" * 15)[:240] + "z")
PATHS = ["/", "/gates/shop/api-service", "/gates/shop/api-service/decisions"]
PHONE = {"width": 360, "height": 740}


@pytest.fixture
def judged(stand):
    def judge(town):
        town.gate(API, held(API, since=town.now - 600), rollout=made_up.a_rollout(started=town.now - 600))
        made_up.walk(town, API, 30)
        records = [a_record(API, number, 0.1, number) for number in range(1, 61)]
        town.records.bodies = [
            {"spec": each.model_dump(mode="json", by_alias=True, exclude_none=True)} for each in records
        ]

    stand.do(judge)
    return stand


def is_live(path):
    return path in PATHS[:2]


@pytest.mark.parametrize("path", PATHS)
def test_a_phone_shows_everything_without_scrolling_sideways(visit, judged, path):
    hostile = "x" * 600

    def add(town):
        evidence = [an_evidence(hostile, source=hostile, message=hostile, queries=[hostile], attribution=hostile)]
        history = [entry(town.now, "1/7", 5, "Hold", "Collecting", hostile)]
        town.gate(LONG, held(LONG, message=hostile, evidence=evidence, history=history), rollout=made_up.a_rollout())
        town.gate(API, held(API, message=hostile, evidence=evidence, history=history), rollout=made_up.a_rollout())

    judged.do(add)
    page = visit(path, viewport=PHONE, live=is_live(path))
    if path == PATHS[1]:
        page.get_by_text("The last points as a table").click()

    overflow = page.evaluate(
        """() => [document.documentElement.scrollWidth - innerWidth, ...[...document.querySelectorAll("body *")]
          .filter((each) => each.getBoundingClientRect().right > innerWidth + 1
            && !each.closest(".scroll, .unseen, .commands code, thead, .plot"))
          .map((each) => `${each.tagName}.${each.className}`)]"""
    )
    assert overflow[1:] == []
    assert overflow[0] <= 0


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing_serious(visit, judged, path, scheme, width):
    page = visit(path, live=is_live(path), color_scheme=scheme, viewport={"width": width, "height": 900})

    found = Axe().run(page).response["violations"]

    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    assert [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in serious] == []


def test_the_dark_is_dark_and_the_light_is_light(visit, judged):
    def paper(scheme):
        color = visit("/", color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in color.removeprefix("rgb(").removesuffix(")").split(","))

    assert paper("dark") < 150
    assert paper("light") > 600


def test_the_chart_changes_its_colors_with_the_scheme(visit, judged):
    page = visit(PATHS[1], color_scheme="light")
    expect(page.locator(".plot canvas")).to_be_visible()
    before = page.locator(".plot canvas").element_handle()

    page.emulate_media(color_scheme="dark")

    page.wait_for_function("canvas => !canvas.isConnected", arg=before)
    expect(page.locator(".plot canvas")).to_be_visible()


def test_with_the_keyboard_alone_one_skips_filters_and_opens(visit, judged):
    page = visit()

    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    expect(page.get_by_text("Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Name, reason or words")).to_be_focused()
    page.keyboard.type("shop api-service")
    expect(page.locator("tr.gate:visible")).to_have_count(1)
    for _ in range(9):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('tr.gate') !== null"):
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("api-service")


def test_landmarks_and_headings_tell_a_reader_where_it_is(visit, judged):
    page = visit(PATHS[1])

    for role in ("banner", "main", "contentinfo"):
        expect(page.get_by_role(role)).to_have_count(1)
    levels = page.locator("h1, h2, h3").evaluate_all("all => all.map((each) => Number(each.tagName[1]))")
    assert levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    assert page.locator("table:not(:has(caption)):not([aria-hidden] table)").count() == 0


def test_who_wants_less_motion_sees_none(visit, judged):
    page = visit(reduced_motion="reduce")

    judged.do(lambda town: town.look(API, made_up.promoting(API, since=town.now)))

    row = page.locator('[id="gate-shop/api-service"].changed')
    expect(row).to_be_visible()
    assert row.evaluate("row => getComputedStyle(row).animationName") == "none"


def test_without_a_script_there_is_a_table_that_links_filter(visit, judged):
    page = visit(live=False, java_script_enabled=False)

    expect(page.locator("tr.gate").first).to_be_visible()
    expect(page.get_by_label("Name, reason or words")).to_be_hidden()
    expect(page.locator("#live")).to_contain_text("reload for news")
    page.locator("#verdicts a", has_text="Hold").click()
    for row in page.locator("tr.gate").all():
        expect(row).to_contain_text("Hold")
    page.locator('[id="gate-shop/api-service"] a').click()
    expect(page.get_by_role("heading", level=1)).to_have_text("api-service")
    page.get_by_role("link", name="Read the records of this Rollout").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Decisions of api-service")


@pytest.mark.parametrize("path", PATHS)
def test_hostile_text_runs_nowhere_also_when_it_is_told_live(visit, judged, path):
    bad = "</td></tr><script>alert(1)</script><img src=x onerror=alert(1)>\"'`\u202e{{7*7}}"

    def poison(town):
        evidence = [an_evidence(bad, source=bad, message=bad, queries=[bad])]
        town.now += 11
        town.look(API, held(API, message=bad, reason=bad, verdict=bad, evidence=evidence))
        record = a_record(API, 1, 0.1, 0).model_copy(update={"message": bad})
        town.records.bodies = [{"spec": record.model_dump(mode="json", by_alias=True, exclude_none=True)}]

    page = visit(path, live=is_live(path))
    judged.do(poison)
    if is_live(path):
        expect(page.locator("main")).to_contain_text("<script>alert(1)</script>")
    page.reload()

    expect(page.locator("main")).to_contain_text("<script>alert(1)</script>")
    expect(page.locator("main")).to_contain_text("⟨U+202E⟩")
    assert page.locator("main img, main script").count() == 0


def test_a_page_that_is_hidden_rests_and_one_that_is_seen_again_is_live(visit, judged):
    page = visit()
    hide = """hidden => {
      Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
      document.dispatchEvent(new Event("visibilitychange"));
    }"""

    page.evaluate(hide, True)
    judged.do(lambda town: town.look(API, made_up.promoting(API, since=town.now)))
    page.evaluate(hide, False)

    expect(page.locator('[id="gate-shop/api-service"]')).to_contain_text("Promote")
