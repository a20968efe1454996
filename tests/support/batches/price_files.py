"""Uploads of price files: multipart forms, sample files, and the mutation that sends them."""

import json
from typing import Any

from tests.support.fixtures.server import Client, Json

MUTATION = """
mutation ($file: Upload!, $input: UploadPriceFileInput) {
  uploadPriceFile(file: $file, input: $input) {
    replayed
    batch { id status onError source idempotencyKey itemCount acceptedCount rejectedCount }
    userErrors { item field code value }
    warnings { code }
    preview { status acceptedCount newAverageCount }
  }
}
"""


PREFLIGHT = {"GraphQL-Require-Preflight": "1"}


CSV = b"origin_code,destination_code,day,price\n" + b"".join(
    b"CNSGH,NLRTM,2024-01-01,%d\n" % price for price in (10, 20, 60)
)


APPLIED = [{"averagePrice": 30.0, "priceCount": 3}, {"averagePrice": None, "priceCount": 0}]


MIB = 1024 * 1024


def form(data: bytes, name: str, **options: object) -> dict[str, Any]:
    """Return the arguments of a request that uploads the file."""
    variables = {"file": None, "input": {"waitMs": 30_000, **options}}
    return {
        "data": {
            "operations": json.dumps({"query": MUTATION, "variables": variables}),
            "map": json.dumps({"0": ["variables.file"]}),
        },
        "files": {"0": (name, data)},
        "headers": dict(PREFLIGHT),
    }


def send(client: Client, data: bytes, name: str = "prices.csv", **options: object) -> Json:
    """Upload the file and return the payload."""
    answer = client.http.post("/graphql", **form(data, name, **options)).json()
    assert "errors" not in answer, answer
    payload: Json = answer["data"]["uploadPriceFile"]
    return payload


def many_lines(size: int) -> bytes:
    """Return a valid CSV file of at least the given size in bytes."""
    lines = [b"CNSGH,NLRTM,2024-01-01,%d\n" % (number * 7919 % 10_000) for number in range(size // 24)]
    return b"".join([CSV, *lines])
