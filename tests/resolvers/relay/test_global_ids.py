"""Global IDs: each object has exactly one, and no other text is accepted in its place."""

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from resolvers.relay.global_ids import (
    BATCH,
    NODE_TYPES,
    GlobalId,
    decode_global_id,
    encode_batch_id,
    encode_global_id,
    parse_batch_id,
)

KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
TEXTS = st.text() | st.binary(max_size=60).map(lambda data: base64.b64encode(data).decode())


@given(type_name=st.sampled_from(sorted(NODE_TYPES)), key=KEYS)
@example(type_name="Port", key="CNSGH")
@example(type_name="Region", key="a:b")
def test_global_id_of_any_type_and_key_is_decoded_to_both(type_name: str, key: str) -> None:
    text = encode_global_id(type_name, key)
    assert text.isascii()
    assert decode_global_id(text) == GlobalId(type_name, key)


@given(number=st.integers(min_value=1, max_value=10**18 - 1))
def test_global_id_of_a_batch_and_its_number_are_parsed_to_the_same_batch(number: int) -> None:
    assert parse_batch_id(encode_batch_id(number)) == parse_batch_id(str(number)) == number


@given(text=TEXTS)
def test_global_id_is_the_only_text_that_is_decoded_to_its_object(text: str) -> None:
    decoded = decode_global_id(text)
    assert decoded is None or encode_global_id(*decoded) == text
    number = parse_batch_id(text)
    assert number is None or text in {str(number), encode_batch_id(number)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        "CNSGH",
        "x",
        "\x00",
        "é",
        "\ud800",
        "=" * 8,
        "A" * 300,
        encode_global_id("Lane", "1"),
        encode_global_id("Port", ""),
        encode_global_id("port", "CNSGH"),
        base64.b64encode(b"Port").decode(),
        base64.b64encode(b"Port:\xff").decode(),
        encode_global_id("Port", "CNSGH").rstrip("="),
        encode_global_id("Port", "CNSGH") + "\n",
        encode_global_id("Region", "a").replace("E=", "F="),
    ],
)
def test_global_id_that_is_malformed_or_not_canonical_is_rejected(text: str) -> None:
    assert decode_global_id(text) is None


@pytest.mark.parametrize("key", ["0", "00", "01", "07", "-1", "+1", " 1", "1.0", "x", "1" * 19, "¹", "٣"])
def test_batch_with_a_key_that_no_batch_has_is_rejected_as_number_and_global_id(key: str) -> None:
    assert parse_batch_id(key) is None
    assert parse_batch_id(encode_global_id(BATCH, key)) is None
