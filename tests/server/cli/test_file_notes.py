"""Notes of `prices upload` and `prices load` about how a file is read."""

from pathlib import Path

from tests.support.batches.price_files import CSV
from tests.support.batches.uploads import create_locations
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.fixtures.server import running_server, running_worker


def test_commands_print_how_a_file_separated_by_semicolons_is_read(database_url: str, tmp_path: Path) -> None:
    create_locations(database_url)
    file = tmp_path / "prices.csv"
    file.write_bytes(CSV.replace(b",", b";"))
    with running_worker(database_url), running_server(database_url) as client:
        url = f"{client.http.base_url}/graphql"
        uploaded = ratesgraph_in_process(None, "prices", "upload", "--url", url, file)
    loaded = ratesgraph_in_process(database_url, "prices", "load", file)
    for done, number in ((uploaded, 1), (loaded, 2)):
        assert done.stdout.splitlines() == [
            "prices.csv: note: the fields are separated by semicolons, so a comma in a price is its decimal separator"
            " (1450,50 is 1450.50).",
            f"prices.csv: batch {number} applied, 3 of 3 items, 3 daily prices.",
        ]
        assert "problems" not in done.stderr
