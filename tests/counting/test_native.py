"""Native histograms as a real Prometheus makes, keeps and answers them."""

import asyncio
import contextlib
import math
import threading
import time
from bisect import bisect_left
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

from canary_operator.counting import asking, folding, watermark
from canary_operator.counting.tallies import Arm, Epoch, Reading, Rules, Tally
from canary_operator.model.indicator import Latency, Matcher, MatchKind, Selector
from canary_operator.model.samples import Absent, RawQuery
from canary_operator.prometheus.providers import Providers
from canary_operator.settings import Provider
from lab import loopback, waiting
from lab.programs import cache
from tests.counting import serving
from tests.counting.looking import best

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("counting")]

BOUNDS = (0.1, 0.5, 2.5, math.inf)
RULES = Rules(tick_seconds=0.5)
IDENTITY = (Matcher("namespace", MatchKind.EQUAL, "shop"),)


class Application:
    """One process with a classic histogram on its page."""

    def __init__(self) -> None:
        self.counts = [0, 0, 0, 0]
        self.seconds = 0.0

    def observe(self, seconds, times):
        self.counts[bisect_left(BOUNDS, seconds)] += times
        self.seconds += seconds * times

    def page(self):
        labels = 'namespace="shop",pod="web-1"'
        yield "# TYPE seconds histogram"
        for n, bound in enumerate(BOUNDS, start=1):
            text = "+Inf" if math.isinf(bound) else f"{bound:g}"
            yield f'seconds_bucket{{{labels},le="{text}"}} {sum(self.counts[:n])}'
        yield f"seconds_sum{{{labels}}} {self.seconds}"
        yield f"seconds_count{{{labels}}} {sum(self.counts)}"


@contextlib.contextmanager
def exported(application):
    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            body = ("\n".join(application.page()) + "\n").encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture(scope="module")
def scraped(tmp_path_factory):
    application, folder = Application(), tmp_path_factory.mktemp("native")
    config = folder / "prometheus.yml"
    with exported(application) as port:
        job = {
            "job_name": "web",
            "scrape_interval": "500ms",
            "scrape_timeout": "500ms",
            "honor_labels": True,
            "convert_classic_histograms_to_nhcb": True,
            "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
        }
        config.write_text(yaml.safe_dump({"scrape_configs": [job]}))
        program = cache.install(only=("prometheus",)).programs["prometheus"]
        with serving.running(program, config, folder / "data", "--enable-feature=native-histograms") as server:
            yield application, server


def ask(server, way, since, at):
    window = math.ceil(at - since)
    questions = [RawQuery("default", each, IDENTITY, window, at) for each in way.selectors]

    async def fetch():
        providers = Providers([Provider(name="default", url=server.url)])
        try:
            return await providers.fetch(questions)
        finally:
            providers.close()

    answers = asyncio.run(fetch())
    return asking.read(way, [answers[each] for each in questions], RULES)


def scrapes_after(server, moment):
    def newest():
        found = loopback.call(f"{server.url}/api/v1/query", parameters={"query": "timestamp(up)"})["data"]["result"]
        return bool(found) and float(found[0]["value"][1]) > moment + 1.2

    waiting.until(newest, "scrapes", timeout=30, every=0.1)


def test_native_histograms_with_the_bounds_of_classic_ones_are_counted_exactly(scraped):
    application, server = scraped
    ways = asking.ways(Latency(Selector("seconds"), Decimal("0.5")))
    application.observe(0.3, 1000)
    scrapes_after(server, time.time())
    epoch = Epoch(time.time())
    state = folding.begin(epoch)
    for fast, slow in ((7, 0), (100, 3), (0, 20)):
        application.observe(0.05, fast)
        application.observe(0.5, fast)
        application.observe(0.7, slow)
        application.observe(9.0, slow)
        scrapes_after(server, time.time())
        at = time.time()
        since = at - math.ceil(at - watermark.since(state, epoch, at))
        read = [ask(server, way, since, at) for way in ways]
        assert [not isinstance(each, Absent) and bool(each.counters) for each in read] == [False, True, False]
        folded = folding.fold(state, Reading({Arm.CANARY: best(read)}, since, at), epoch, RULES)
        state = folded.state

    assert state.canary.tally == Tally(2 * 23, 2 * (107 + 23))


def test_a_threshold_inside_of_a_native_bucket_is_refused_with_the_bounds_next_to_it(scraped):
    application, server = scraped
    application.observe(0.3, 1)
    scrapes_after(server, time.time())

    read = [
        ask(server, way, time.time() - 60, time.time())
        for way in asking.ways(Latency(Selector("seconds"), Decimal("0.2")))
    ]

    assert (
        best(read).message
        == "threshold 0.2 is no bucket of the live native histogram: the bounds next to it are 0.1 and 0.5"
    )
