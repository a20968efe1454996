"""Damaged rows: a verification finds them, and a repair removes them."""

import pytest

from db.connection import Connection
from ingest.tree import change_tree
from ingest.verification import comparison
from tests.support.verification.verified_world import EVERYTHING, ITEMS, WORLD, check
from tests.support.worlds import apply_frame, frame_of

pytestmark = pytest.mark.anyio

DAMAGE = {
    "a sum": "UPDATE price_totals SET price_sums[1] = price_sums[1] # 1 WHERE ctid = '(0,1)'",
    "the highest bit of a sum": f"UPDATE price_totals SET price_sums[1] = price_sums[1] # {-(2**63)} WHERE ctid = '(0,1)'",
    "a count": "UPDATE price_totals SET price_counts[1] = price_counts[1] # 1024 WHERE ctid = '(0,1)'",
    "the first day": "UPDATE price_totals SET first_day = first_day + 1 WHERE ctid = '(0,1)'",
    "a distant first day": "UPDATE price_totals SET first_day = first_day + 1073741824 WHERE ctid = '(0,1)'",
    "the month": "UPDATE price_totals SET month = month + 64 WHERE ctid = '(0,1)'",
    "a low bit of the month": "UPDATE price_totals SET month = month + 1 WHERE ctid = '(0,1)'",
    "the origin": "UPDATE price_totals SET origin = origin # 4096 WHERE ctid = '(0,1)'",
    "the destination": "UPDATE price_totals SET destination = destination # 1 WHERE ctid = '(0,1)'",
    "an array with NULL": "UPDATE price_totals SET price_sums[1] = NULL WHERE ctid = '(0,1)'",
    "neither arrays nor changes": "ALTER TABLE price_totals ALTER price_sums DROP NOT NULL, ALTER price_counts DROP NOT NULL;"
    " UPDATE price_totals SET price_sums = NULL, price_counts = NULL WHERE ctid = '(0,1)'",
    "an empty array": "UPDATE price_totals SET price_sums = '{}' WHERE ctid = '(0,1)'",
    "arrays of two lengths": "UPDATE price_totals SET price_sums = price_sums || 5::bigint WHERE ctid = '(0,1)'",
    "a missing row": "DELETE FROM price_totals WHERE ctid = '(0,1)'",
    "a missing month": "DELETE FROM price_totals WHERE month = '2024-02-01'",
    "a double row": "INSERT INTO price_totals SELECT * FROM price_totals WHERE ctid = '(0,1)'",
    "all totals": "DELETE FROM price_totals",
    "a day of a sketch": "UPDATE price_sketches SET sketch = set_byte(sketch, 2, get_byte(sketch, 2) # 32)"
    " WHERE ctid = '(0,1)'",
    "a bucket of a sketch": "UPDATE price_sketches SET sketch = set_bit(sketch, 40, 1 - get_bit(sketch, 40))"
    " WHERE ctid = '(0,1)'",
    "the last byte of a sketch": "UPDATE price_sketches SET sketch = set_byte(sketch, length(sketch) - 1,"
    " get_byte(sketch, length(sketch) - 1) # 1) WHERE ctid = '(0,1)'",
    "the flags of a sketch": "UPDATE price_sketches SET sketch = set_byte(sketch, 0, 255) WHERE ctid = '(0,1)'",
    "an empty sketch": "UPDATE price_sketches SET sketch = '' WHERE ctid = '(0,1)'",
    "an origin of sketches": "UPDATE price_sketches SET origin = origin # 4096 WHERE ctid = '(0,1)'",
    "a month of sketches": "UPDATE price_sketches SET month = '2024-03-01' WHERE ctid = '(0,1)'",
    "a low bit of a month of sketches": "UPDATE price_sketches SET month = month + 1 WHERE ctid = '(0,1)'",
    "a missing sketch": "DELETE FROM price_sketches WHERE ctid = '(0,1)'",
    "a double sketch": "INSERT INTO price_sketches SELECT * FROM price_sketches WHERE ctid = '(0,1)'",
    "all sketches": "DELETE FROM price_sketches",
    "a price": "UPDATE prices SET usd_cents = usd_cents # 1 WHERE ctid = '(0,1)'",
    "the highest bit of a price": f"UPDATE prices SET usd_cents = usd_cents # {-(2**63)} WHERE ctid = '(0,1)'",
    "an origin of prices": "UPDATE prices SET origin = origin # 4096 WHERE ctid = '(0,1)'",
    "a last day": "UPDATE prices SET last_day = last_day + 16 WHERE ctid = '(0,1)'",
    "a first day of prices": "UPDATE prices SET first_day = first_day + 1 WHERE ctid = '(0,1)'",
    "a distant first day of prices": "UPDATE prices SET first_day = first_day + 1073741824 WHERE ctid = '(0,1)'",
    "a missing price": "DELETE FROM prices WHERE ctid = '(0,1)'",
    "a double price": "INSERT INTO prices SELECT * FROM prices WHERE ctid = '(0,1)'",
}


@pytest.mark.parametrize("full", [False, True], ids=["incremental", "full"])
@pytest.mark.parametrize("statement", DAMAGE.values(), ids=DAMAGE.keys())
async def test_verify_finds_damage_and_repair_removes_it(verified: Connection, statement: str, full: bool) -> None:
    await verified.execute(statement.encode())
    found = await check(verified, full=full)
    assert any(found.values()), found
    # A month with differences is never taken as verified.
    assert (await check(verified)).items() >= {month: count for month, count in found.items() if count}.items()
    assert any((await check(verified, repair=True)).values())
    assert not any((await check(verified)).values())
    assert not any((await check(verified, full=True)).values())
    cursor = await verified.execute(
        "SELECT month FROM price_totals UNION SELECT month FROM price_sketches ORDER BY month"
    )
    assert [month for (month,) in await cursor.fetchall()] == EVERYTHING


@pytest.mark.parametrize("name", ["the last byte of a sketch", "the flags of a sketch"])
async def test_verify_finds_damage_in_sketches_that_are_decoded_in_parts(
    verified: Connection, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(comparison, "MAX_SKETCH_BYTES", 1)
    assert not any((await check(verified, full=True)).values())
    await verified.execute(DAMAGE[name].encode())
    assert any((await check(verified, full=True)).values())
    assert any((await check(verified, repair=True)).values())
    assert not any((await check(verified, full=True)).values())


@pytest.mark.parametrize("full", [False, True], ids=["incremental", "full"])
async def test_verify_finds_changes_that_begin_on_another_day_than_their_month(
    connection: Connection, full: bool
) -> None:
    await change_tree(connection, WORLD.entries())
    await apply_frame(connection, frame_of(ITEMS))
    assert not any((await check(connection)).values())
    cursor = await connection.execute(
        "UPDATE price_totals SET first_day = first_day + 1 WHERE packed_changes IS NOT NULL AND month = '2024-01-01'"
    )
    assert cursor.rowcount > 0
    assert any((await check(connection, full=full)).values())
    assert any((await check(connection, repair=True)).values())
    assert not any((await check(connection, full=True)).values())


@pytest.mark.parametrize("full", [False, True], ids=["incremental", "full"])
@pytest.mark.parametrize("bit", [1, 32, 64, 1 << 22, 1 << 24, 1 << 62])
async def test_verify_finds_a_flipped_bit_of_changes(connection: Connection, bit: int, full: bool) -> None:
    await change_tree(connection, WORLD.entries())
    await apply_frame(connection, frame_of(ITEMS))
    assert not any((await check(connection)).values())
    cursor = await connection.execute(
        "UPDATE price_totals SET packed_changes[1] = packed_changes[1] # %s::bigint"
        " WHERE packed_changes IS NOT NULL AND month = '2024-01-01'",
        (bit,),
    )
    assert cursor.rowcount > 0
    assert any((await check(connection, full=full)).values())
    assert any((await check(connection, repair=True)).values())
    assert not any((await check(connection, full=True)).values())
