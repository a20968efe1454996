"""Questions about single prices, and the state of an archive."""

import psycopg

from tests.support.fixtures.server import Json, running_server

QUERY = """{
  averagePrices(dateFrom: "2023-11-28", dateTo: "2024-03-10", origin: "china", destination: "europe") {
    day averagePrice priceCount lowPrice highPrice medianPrice
  }
  priceSeries(dateFrom: "2023-11-28", dateTo: "2024-03-10", lanes: [{origin: "CNSGH", destination: "NLRTM"}],
              interval: MONTH) {
    lanes { counts averages lows percentile(at: 90) }
  }
  benchmark(origin: "china", destination: "europe", price: "11", dateFrom: "2024-01-02", dateTo: "2024-01-20") {
    percentileRank
  }
  lanes(first: 10) { edges { node { origin { key } destination { key } } } }
}"""


def rows(database_url: str, query: str) -> list[tuple[object, ...]]:
    """Return the rows of a query."""
    with psycopg.connect(database_url) as connection:
        return connection.execute(query.encode()).fetchall()


def count_prices(database_url: str) -> tuple[object, ...]:
    """Return the numbers of observations in the table and in archived files."""
    query = "SELECT (SELECT count(*) FROM prices), (SELECT coalesce(sum(row_count), 0) FROM archived_files)"
    [counts] = rows(database_url, query)
    return counts


def urls(database_url: str) -> list[str]:
    """Return the URLs of the archived files, oldest month first."""
    return [str(url) for (url,) in rows(database_url, "SELECT url FROM archived_files ORDER BY month")]


def answers(database_url: str) -> Json:
    """Return the answers of a new server to questions that read single prices."""
    with running_server(database_url) as client:
        return client.ask(QUERY)
