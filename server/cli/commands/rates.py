"""`ratesgraph rates`: newer exchange rates than those bundled with the package."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from db.repositories import rates
from ingest.exchange_rates.ecb import store_rates
from ingest.exchange_rates.refresh import days_to_fetch, fetch_ecb_rates, fetch_openexchangerates
from server.cli.console import (
    open_database,
    out,
    print_line,
    progress_bar,
    read_settings,
    require_room,
    run_with_connection,
)


def refresh(data_dir: Path | None) -> None:
    """Fetch exchange rates, store those that are new or corrected, and print a summary."""
    settings = read_settings(data_dir=data_dir)
    today = datetime.now(UTC).date()
    key = settings.openexchangerates_app_id
    missing_days = 0
    with open_database(settings) as url, progress_bar() as progress:
        require_room(settings, url, "No rates were fetched")
        progress.add_task("Fetching exchange rates", total=None)
        # Fetching may last a minute, so no database connection is held meanwhile.
        newest = _newest_day(url)
        if key is None or not key.get_secret_value().strip():
            source = "the European Central Bank"
            fetched = asyncio.run(fetch_ecb_rates(settings.ecb_rates_url, today))
        else:
            source = "openexchangerates"
            days = days_to_fetch(newest, today)
            if days is None:
                out.print(f"Exchange rates are up to date ({newest}).")
                return
            missing_days = (today - timedelta(days=1) - days.last).days
            fetched = asyncio.run(fetch_openexchangerates(settings.openexchangerates_url, key.get_secret_value(), days))
        stored = run_with_connection(lambda connection: store_rates(connection, fetched), url)
        newest = _newest_day(url)
    more = f"; {missing_days:,} days up to yesterday are missing, run this command again" if missing_days else ""
    print_line(f"Stored {stored:,} new or corrected exchange rates of {source}; rates are known up to {newest}{more}.")


def _newest_day(url: str) -> date | None:
    return max(run_with_connection(rates.list_currencies, url).values(), default=None)
