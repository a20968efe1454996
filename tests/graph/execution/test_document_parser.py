"""Parser of documents: the thread of long ones, in one event loop after another."""

import asyncio

import pytest

from graph.execution.document_cache import Document, DocumentCache
from graph.execution.document_limits import QueryLimits
from graph.execution.document_parser import MAX_CHARS_ON_LOOP, DocumentParser
from graph.execution.query_cost import SizeLimits
from graph.schema import schema

PADDING = "x" * MAX_CHARS_ON_LOOP


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
