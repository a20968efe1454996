"""Parser of documents: the thread of long ones, in one event loop after another."""

import asyncio

import pytest

from graph.execution.document_cache import Document, DocumentCache
from graph.execution.document_limits import QueryLimits
from graph.execution.document_parser import MAX_CHARS_ON_LOOP, DocumentParser
from graph.execution.query_cost import SizeLimits
from graph.schema import schema

PADDING = "x" * MAX_CHARS_ON_LOOP

DOCUMENTS = {
    "a field 390 times": f"{{ viewer {{ {'name ' * 390} }} }}",
    "a chain of 120 fragments": (
        "{ viewer { ...f0 } }"
        + "".join(f" fragment f{number} on Viewer {{ name ...f{number + 1} }}" for number in range(120))
        + " fragment f120 on Viewer { name }"
    ),
}
"""Documents that take tenths of a second to validate."""


def long_document(number: int) -> str:
    """Return a document that is parsed in the thread."""
    return f"{{ viewer {{ name }} }} # {number} {PADDING}"


def test_long_documents_are_parsed_in_one_event_loop_after_another() -> None:
    parser = DocumentParser(DocumentCache(schema._schema, QueryLimits(), SizeLimits(366, 100)))

    async def parse_at_once(first: int) -> list[bool]:
        found = await asyncio.gather(*(parser.get(long_document(number)) for number in range(first, first + 3)))
        return [isinstance(document, Document) for document in found]

    assert [asyncio.run(parse_at_once(first)) for first in (0, 3)] == [[True] * 3] * 2


@pytest.mark.anyio
async def test_cancelled_request_leaves_the_parser_to_the_next_one() -> None:
    parser = DocumentParser(DocumentCache(schema._schema, QueryLimits(), SizeLimits(366, 100)))
    tasks = [asyncio.create_task(parser.get(long_document(number))) for number in range(4)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    tasks[2].cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in found] == [asyncio.CancelledError, Document, asyncio.CancelledError, Document]


@pytest.mark.anyio
@pytest.mark.parametrize("name", DOCUMENTS)
async def test_event_loop_goes_on_while_a_long_document_is_parsed(name: str) -> None:
    parser = DocumentParser(DocumentCache(schema._schema, QueryLimits(), SizeLimits(366, 100)))
    parsing = asyncio.create_task(parser.get(DOCUMENTS[name]))
    iterations = 0
    while not parsing.done():
        await asyncio.sleep(0)
        iterations += 1
    assert isinstance(parsing.result(), Document)
    # On the event loop, two iterations would be enough.
    assert iterations > 10
