"""The lab's Prometheus: its configuration, and doing to it what happens to real ones.

Law: port and data folder stay the same over every stop and start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from lab import loopback, waiting
from lab.errors import LabError
from lab.plane import startup
from lab.plane.commands import Plane
from lab.plane.credentials import write_secret
from lab.plane.startup import Start

_NAME = "prometheus"


def configuration(traffic: str, scrape_interval: float) -> dict[str, Any]:
    """Return a configuration that scrapes the traffic world at the address `traffic`."""
    return {
        "global": {
            "scrape_interval": _duration(scrape_interval),
            "scrape_timeout": _duration(scrape_interval),
            "evaluation_interval": _duration(scrape_interval),
        },
        "scrape_configs": [job("traffic", traffic)],
        # The traffic world can tell of a past that nobody has scraped.
        "storage": {"tsdb": {"out_of_order_time_window": "2h"}},
    }


def job(name: str, *targets: str) -> dict[str, Any]:
    """Return a scrape job; the targets' own labels win, as theirs name the real pods."""
    return {
        "job_name": name,
        "honor_labels": True,
        "static_configs": [{"targets": list(targets)}],
    }


def write_configuration(plane: Plane, scrape_interval: float) -> None:
    """Write the configuration with which a new lab's Prometheus starts."""
    body = configuration(f"127.0.0.1:{plane.ports.traffic}", scrape_interval)
    write_secret(plane.layout.prometheus_config, yaml.safe_dump(body))


@dataclass(frozen=True, slots=True)
class Prometheus:
    """The Prometheus of one lab."""

    start_order: Start

    @property
    def url(self) -> str:
        """Return the base URL of its API."""
        return f"http://127.0.0.1:{self.start_order.plane.ports.prometheus}"

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the instant vector of `expression`: `metric` and `value` of every series."""
        answer = loopback.call(f"{self.url}/api/v1/query", parameters={"query": expression})
        return list(answer["data"]["result"])

    def value(self, expression: str) -> float | None:
        """Return the value of the only series of `expression`; None when there is none.

        Raises LabError when there is more than one.
        """
        series = self.query(expression)
        if len(series) > 1:
            raise LabError(f"{expression}: {len(series)} series where one is meant")
        return float(series[0]["value"][1]) if series else None

    def stop(self) -> None:
        """End it: connections are refused."""
        self.start_order.supervision.stop(_NAME)

    def start(self) -> None:
        """Start it again over the same data; returns when it answers."""
        startup.start_prometheus(self.start_order)

    def pause(self) -> None:
        """Freeze it: connections are accepted and nothing is answered."""
        self.start_order.supervision.pause(_NAME)

    def resume(self) -> None:
        """Let it continue."""
        self.start_order.supervision.resume(_NAME)

    def add_job(self, name: str, *targets: str, **settings: Any) -> None:
        """Scrape `targets` (host:port) too, from now on, or change the job of that name."""
        body = self._configuration()
        others = [one for one in body["scrape_configs"] if one["job_name"] != name]
        body["scrape_configs"] = [*others, {**job(name, *targets), **settings}]
        self.configure(body)

    def remove_job(self, name: str) -> None:
        """Scrape a job no more."""
        body = self._configuration()
        body["scrape_configs"] = [one for one in body["scrape_configs"] if one["job_name"] != name]
        self.configure(body)

    def configure(self, body: dict[str, Any]) -> None:
        """Replace the whole configuration. Raises CommandError when Prometheus refuses it."""
        write_secret(self.start_order.plane.layout.prometheus_config, yaml.safe_dump(body))
        loopback.call(f"{self.url}/-/reload", method="POST")

    def await_value(self, expression: str, *, timeout: float = 30.0) -> float:
        """Wait until `expression` has a value that is not zero, and return it."""
        return waiting.until(lambda: self.value(expression), f"a value of {expression}", timeout=timeout, every=0.2)

    def _configuration(self) -> dict[str, Any]:
        text = self.start_order.plane.layout.prometheus_config.read_text()
        return dict(yaml.safe_load(text))


def _duration(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
