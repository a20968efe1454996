"""Scraping of `/metrics` and lookups in its text format."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.support.waiting import DEADLINE_SECONDS

TOKEN = "scrape-scrape-scrape"  # noqa: S105


SCRAPER = {"Authorization": f"Bearer {TOKEN}"}


SETTINGS = {"RATESGRAPH_METRICS_TOKEN": TOKEN}


Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(url: str, headers: dict[str, str] | None = SCRAPER) -> Samples:
    """Scrape the server and return every sample by name and labels."""
    response = httpx.get(f"{url}/metrics", headers=headers, timeout=DEADLINE_SECONDS)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "private, no-store"
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def find(samples: Samples, name: str, **labels: str) -> float:
    """Return the sum of the samples with these labels, 0 without a match."""
    return sum(
        value for (found, given), value in samples.items() if found == name and labels.items() <= dict(given).items()
    )
