"""Variables of the operations that all Python clients send, and output of the results.

The operations are in `operations.graphql`.
"""

import json
import sys
from typing import Any

URL = sys.argv[1]
LANE = {"origin": "china", "destination": "europe"}
UNKNOWN_LANE = {"origin": "atlantis", "destination": "europe"}
PRICES = [
    {"origin": "CNSGH", "destination": "NLRTM", "dateFrom": "2024-01-01", "dateTo": "2024-01-01", "price": price}
    for price in ("10", "20", "60")
]
WAIT_MS = 20_000
"""The responses wait for the worker."""
FILE = "origin_code,destination_code,day,price\n" + "".join(f"CNSGH,NLRTM,2024-01-02,{price}\n" for price in (1, 2, 3))


def describe_errors(errors: list[dict[str, Any]]) -> list[list[str | None]]:
    """Return the code and the argument of each GraphQL error."""
    return [[error["extensions"]["code"], error["extensions"].get("argument")] for error in errors]


def report(results: dict[str, Any]) -> None:
    """Print the results for the test."""
    sys.stdout.write(json.dumps(results))
