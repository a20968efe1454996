"""Hostile values and documents: each is answered without blocking the event loop."""

import itertools
import json
from collections.abc import Iterator

import httpx
import pytest

from server.http.request_params import MAX_CONTAINERS
from tests.support.hostile import MAX_SECONDS, Target, check_quick, check_unblocking, error_codes
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.tokens import authorization_header, create_api_token
from tests.support.waiting import DEADLINE_SECONDS

NUMBERS = itertools.count()
DAYS = 'dateFrom: "2026-01-01", dateTo: "2026-01-02"'
LANES = f"query ($lanes: [LaneInput!]!) {{ priceSeries(lanes: $lanes, {DAYS}) {{ lanes {{ origin {{ key }} }} }} }}"
INTERVAL = f"query ($interval: Interval!) {{ priceSeries(lanes: [], {DAYS}, interval: $interval) {{ currency }} }}"
NOT_REPRESENTED = "cannot represent " * 5_500
"""Words of an error message that a pattern looks for."""
LANE = {"origin": "", "destination": ""}


def repeat_field(variable: str, field: str) -> str:
    """Return a query that selects the field sixty times with the variable."""
    return f"query ({variable}) {{ {' '.join(f'a{number}: {field}' for number in range(60))} }}"


VALUES = {
    "an enum value with words of messages": (INTERVAL, {"interval": NOT_REPRESENTED}, "BAD_USER_INPUT"),
    "a field name of 90 kB": (LANES, {"lanes": [{**LANE, NOT_REPRESENTED: 1}]}, "TEXT_TOO_LONG"),
    "a field name with words of messages": (LANES, {"lanes": [{**LANE, NOT_REPRESENTED[:1_000]: 1}]}, "BAD_USER_INPUT"),
    "3,000 lanes": (LANES, {"lanes": [LANE] * 3_000}, "TOO_MANY_VALUES"),
    "48,000 words as a key": (
        repeat_field("$key: String!", "location(key: $key) { key }"),
        {"key": "a " * 48_000},
        None,
    ),
}
"""Values that any caller may send, and the code of the response."""


@pytest.fixture(scope="module")
def target(module_database_url: str) -> Iterator[Target]:
    """Yield a server process shared by the tests."""
    with serving(module_database_url) as (process, url), httpx.Client(base_url=url, timeout=DEADLINE_SECONDS) as http:
        wait_until_answered(url)
        yield Target(url, process.pid, http)


def body(query: str, variables: object) -> bytes:
    """Return a body that no cache knows."""
    return json.dumps({"query": query, "variables": variables, "number": next(NUMBERS)}, separators=(",", ":")).encode()


@pytest.mark.parametrize("name", VALUES)
def test_hostile_value_is_answered_quickly(target: Target, name: str) -> None:
    query, variables, code = VALUES[name]
    response = check_quick(target, lambda: target.post(body(query, variables)))
    assert error_codes(response) == ({code} if code else set())


def test_long_dates_are_not_quoted_once_for_each_field(target: Target, module_database_url: str) -> None:
    token = authorization_header(create_api_token(module_database_url, "upload", "read"))
    query = repeat_field("$day: Date!", 'exchangeRates(currency: "EUR", from: $day, to: $day) { day }')
    response = check_quick(target, lambda: target.post(body(query, {"day": "1" * 3_000_000}), **token))
    assert error_codes(response) == {"TEXT_TOO_LONG"}


@pytest.mark.parametrize(
    "region", [{"slug": "a-" * 14_000_000, "name": "A"}, {"a" * 28_000_000: 1}], ids=["slug", "field"]
)
def test_megabytes_in_a_location_do_not_delay_other_requests(
    target: Target, module_database_url: str, region: dict[str, object]
) -> None:
    token = authorization_header(create_api_token(module_database_url, "upload", "admin"))
    query = "mutation ($regions: [RegionInput!]!) { upsertRegions(regions: $regions) { userErrors { code } } }"
    content = body(query, {"regions": [region]})

    def send() -> httpx.Response:
        response = target.post(content, **token)
        assert error_codes(response) == {"TEXT_TOO_LONG"}
        return response

    check_unblocking(target, send, 5 * MAX_SECONDS)


def test_change_of_ten_thousand_regions_does_not_delay_other_requests(target: Target, module_database_url: str) -> None:
    token = authorization_header(create_api_token(module_database_url, "upload", "admin"))
    query = "mutation ($regions: [RegionInput!]!) { upsertRegions(regions: $regions) { userErrors { code } } }"
    regions = [{"slug": f"a_{number}", "name": "A", "parentSlug": "a_0"} for number in range(9_999)]
    content = body(query, {"regions": [*regions, {"slug": "b", "name": "B", "parentSlug": "nowhere"}]})

    def send() -> httpx.Response:
        response = target.post(content, **token)
        assert response.json() == {"data": {"upsertRegions": {"userErrors": [{"code": "UNKNOWN_PARENT"}]}}}
        return response

    check_unblocking(target, send, 2 * MAX_SECONDS)


def test_long_path_of_a_form_is_refused_quickly(target: Target, module_database_url: str) -> None:
    token = authorization_header(create_api_token(module_database_url, "upload"))
    fields = {
        "operations": (None, '{"query": "{ __typename }"}'),
        "map": (None, json.dumps({"0": ["variables" + "." * 900_000]})),
    }

    def send() -> httpx.Response:
        headers = {**token, "X-Requested-With": "test"}
        return target.http.post("/graphql", files={**fields, "0": ("a.csv", b"")}, headers=headers)

    assert error_codes(check_quick(target, send)) == {"BAD_MULTIPART"}


def test_body_of_too_many_lists_is_refused_before_it_is_decoded(target: Target, module_database_url: str) -> None:
    token = authorization_header(create_api_token(module_database_url, "upload"))
    lists = b'{"query": "{ __typename }", "extensions": {"a": [' + b"[]," * MAX_CONTAINERS + b"1]}}"
    response = target.post(lists, **token)
    assert (response.status_code, error_codes(response)) == (413, {"TOO_MANY_VALUES"})
    before = target.memory()
    assert target.post(lists.replace(b"[],", b"1,"), **token).status_code == 200
    assert target.memory() < before + 100_000_000
