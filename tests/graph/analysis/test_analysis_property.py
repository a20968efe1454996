"""Property test of the questions of analysts against an oracle.

It asks the schema, which reads a real database.

Trees, batches, reverts, moves, exchange rates and questions are random. Answers are compared as a whole.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.connection import Connection
from db.pool import INGEST, Pool, connect, open_pool
from domain.locations import LocationKind, TreeEntry
from ingest.batches.revert import revert_batch
from ingest.compact import compact
from ingest.exchange_rates.ecb import store_rates
from ingest.exchange_rates.refresh import RATES
from ingest.tree import change_tree
from tests.support.analysis.asking import FROM_SKETCHES, ask
from tests.support.analysis.figures import STATISTICS, Json, divide, sketch_error
from tests.support.analysis.oracle import Oracle, currency_of, key_of
from tests.support.analysis.questions import (
    BUCKET_COLUMNS,
    TURNS,
    benchmark_questions,
    coverage_questions,
    items_near,
    lane_questions,
    matrix_questions,
    rates_near,
    series_questions,
)
from tests.support.batches.strategies import PORTS, REGIONS, clear, worlds
from tests.support.worlds import Item, World, apply_frame, frame_of


@dataclass
class Session:
    """Database under test and the world that it should hold."""

    connection: Connection
    pool: Pool
    turn: date
    world: World
    oracle: Oracle
    batches: dict[int, list[Item]] = field(default_factory=dict)

    async def apply(self, data: st.DataObject) -> None:
        batch = data.draw(st.lists(items_near(self.turn), min_size=6, max_size=20), label="batch")
        batch_id, _ = await apply_frame(self.connection, frame_of(batch))
        self.batches[batch_id] = batch
        self.world.items += batch

    async def revert(self, data: st.DataObject) -> None:
        if self.batches:
            batch_id = data.draw(st.sampled_from(sorted(self.batches)), label="reverted batch")
            await revert_batch(self.connection, batch_id)
            for item in self.batches.pop(batch_id):
                self.world.items.remove(item)

    async def move(self, data: st.DataObject) -> None:
        place = data.draw(st.sampled_from([*PORTS, *REGIONS]), label="moved location")
        parents = [region for region in REGIONS if not self.world.is_within(place, region)]
        is_port = place in PORTS
        parent = data.draw(st.sampled_from(parents if is_port else [None, *parents]), label="its new parent")
        kind = LocationKind.PORT if is_port else LocationKind.REGION
        await change_tree(self.connection, [TreeEntry(kind, place, place, parent, "test:1")])
        self.world.parents[place] = parent

    async def compact(self, _data: st.DataObject) -> None:
        await compact(self.connection, max_rows=1)

    async def answer(self, name: str, variables: Json) -> Json | None:
        """Return the answer; None and UNKNOWN_CURRENCY for a currency without any rate."""
        answer, errors = await ask(self.pool, name, variables)
        if "currency" in variables and currency_of(variables) not in {"USD", *self.oracle.rates}:
            assert answer is None
            assert [error["extensions"]["code"] for error in errors] == ["UNKNOWN_CURRENCY"]
        else:
            assert errors == []
        return answer

    async def ask_series(self, data: st.DataObject) -> None:
        question = data.draw(series_questions(self.turn, self.world), label="series")
        answer, errors = await ask(self.pool, "priceSeries", question)
        if currency_of(question) not in {"USD", *self.oracle.rates}:
            assert answer is None
            assert [error["extensions"]["code"] for error in errors] == ["UNKNOWN_CURRENCY"]
            return
        assert answer is not None
        expected = self.oracle.series(question)
        buckets = [None if lane is None else lane.pop("buckets") for lane in answer["lanes"]]
        assert answer == expected
        unknown = [at for at, lane in enumerate(expected["lanes"]) if lane is None]
        assert [error["path"] for error in errors] == [["priceSeries", "lanes", at] for at in unknown]
        assert [error["extensions"]["argument"] for error in errors] == [f"lanes.{at}.origin" for at in unknown]
        await self.ask_series_from_sketches(question, answer)
        for lane, found in zip(answer["lanes"], buckets, strict=True):
            if lane is not None:
                columns = {"from": answer["from"], "to": answer["to"], "partial": answer["partial"]}
                columns |= {name: lane[column] for name, column in BUCKET_COLUMNS.items()}
                assert found == [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    async def ask_series_from_sketches(self, question: Json, exact: Json) -> None:
        """Compare the figures that sketches answer with the exact ones."""
        answer, _ = await ask(self.pool, "priceSeries", question, FROM_SKETCHES)
        assert answer is not None
        parts = [days for days, _ in divide(question)]
        for lane, expected in zip(answer["lanes"], exact["lanes"], strict=True):
            if lane is None:
                continue
            ends = lane["origin"]["key"], lane["destination"]["key"]
            has_figures = None in lane["nullReasons"]
            assert lane["statisticsError"] == (0.016 if has_figures and self.have_sketches(*ends) else 0)
            buckets = self.oracle.market(*ends, question, parts)
            for name, at in STATISTICS.items():
                for value, exact_value, bucket in zip(lane[name], expected[name], buckets, strict=True):
                    assert (value is None) == (exact_value is None)
                    if value is not None:
                        allowed = sketch_error(bucket.prices, at) if lane["statisticsError"] else 0
                        assert abs(Fraction(repr(value)) - Fraction(repr(exact_value))) <= allowed
            unchanged = expected.keys() - {"statisticsError", "buckets", *STATISTICS}
            assert {name: lane[name] for name in unchanged} == {name: expected[name] for name in unchanged}

    def have_sketches(self, *ends: str) -> bool:
        return self.world.ports.isdisjoint(ends)

    async def ask_matrix(self, data: st.DataObject) -> None:
        question = data.draw(matrix_questions(self.turn, self.world), label="matrix")
        answer = await self.answer("laneMatrix", question)
        assert answer is None or answer == self.oracle.matrix(question)

    async def ask_benchmark(self, data: st.DataObject) -> None:
        question = data.draw(benchmark_questions(self.turn, self.world), label="benchmark")
        answer = await self.answer("benchmark", question)
        assert answer is None or answer == self.oracle.benchmark(question)
        sketched, _ = await ask(self.pool, "benchmark", question, FROM_SKETCHES)
        if answer is not None and sketched is not None and answer["percentileRank"] is not None:
            error = sketched["percentileRankError"]
            assert error == 0 or self.have_sketches(key_of(question["origin"]), key_of(question["destination"]))
            assert abs(sketched["percentileRank"] - answer["percentileRank"]) <= error + 1e-9

    async def ask_coverage(self, data: st.DataObject) -> None:
        question = data.draw(coverage_questions(self.world), label="coverage")
        assert await self.answer("coverage", question) == self.oracle.coverage(question)

    async def ask_period(self, _data: st.DataObject) -> None:
        assert await self.answer("dataPeriod", {}) == self.oracle.period()

    async def ask_lanes(self, data: st.DataObject) -> None:
        """Compare all pages of the lanes."""
        question = data.draw(lane_questions(self.world), label="lanes")
        expected = self.oracle.lanes(question["origin"], question["destination"])
        size, cursor, has_more = (
            ("last", "before", "hasPreviousPage") if question["is_backward"] else ("first", "after", "hasNextPage")
        )
        variables = {"origin": question["origin"], "destination": question["destination"], size: question["size"]}
        found: list[Json] = []
        for _ in range(0, len(expected) + 1, question["size"]):
            page = await self.answer("lanes", variables)
            assert page is not None
            assert page["totalCount"] == len(expected)
            found += [edge["node"] for edge in page["edges"]]
            variables[cursor] = page["pageInfo"]["startCursor" if question["is_backward"] else "endCursor"]
            if not page["pageInfo"][has_more]:
                break
        assert sorted(found, key=lambda lane: (lane["origin"]["key"], lane["destination"]["key"])) == expected


CHANGES = [Session.apply, Session.apply, Session.revert, Session.move, Session.compact]
QUESTIONS = [
    Session.ask_series,
    Session.ask_series,
    Session.ask_series,
    Session.ask_matrix,
    Session.ask_benchmark,
    Session.ask_coverage,
    Session.ask_lanes,
    Session.ask_period,
]


async def publish(connection: Connection, published: dict[str, dict[date, Decimal]]) -> None:
    """Replace all exchange rates."""
    rows = [(code, day, rate) for code in sorted(published) for day, rate in sorted(published[code].items())]
    await connection.execute("TRUNCATE exchange_rates")
    await store_rates(connection, pl.DataFrame(rows, schema=RATES, orient="row"))


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_analysis_matches_the_oracle_after_batches_reverts_moves_and_compaction(
    module_database_url: str, data: st.DataObject
) -> None:
    world = data.draw(worlds(), label="world")
    turn = data.draw(st.sampled_from(TURNS), label="turn")
    published = data.draw(rates_near(turn), label="rates")
    oracle = Oracle(
        world, {code: {day: Fraction(rate) for day, rate in history.items()} for code, history in published.items()}
    )

    async def live() -> None:
        async with (
            connect(module_database_url, INGEST) as connection,
            open_pool(module_database_url, INGEST, max_size=2) as pool,
        ):
            await clear(connection)
            await publish(connection, published)
            await change_tree(connection, world.entries())
            session = Session(connection, pool, turn, world, oracle)
            await session.apply(data)
            for _ in range(data.draw(st.integers(1, 4), label="rounds")):
                for question in data.draw(st.lists(st.sampled_from(QUESTIONS), min_size=1, max_size=4)):
                    await question(session, data)
                await data.draw(st.sampled_from(CHANGES))(session, data)
            for question in dict.fromkeys(QUESTIONS):
                await question(session, data)

    asyncio.run(live())
