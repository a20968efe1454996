"""Arithmetic modulo the Mersenne prime 2^61 - 1, on whole arrays.

Modulo a prime no product of weights vanishes. Modulo 2^64, a high bit times an even weight would. Numbers are unsigned
integers of 64 bits from 0 to PRIME, both included. As 2^61 is 1 modulo the prime, the bits above the 61st are added to those
below.
"""

import numpy as np
import numpy.typing as npt

from db.sketches.arrays import Int64, UInt64

BITS = np.uint64(61)
PRIME = np.uint64((1 << 61) - 1)
HALF_BITS = np.uint64(32)
HALF = np.uint64((1 << 32) - 1)
REST_BITS = np.uint64(61 - 32)
REST = np.uint64((1 << (61 - 32)) - 1)
SMALL_BITS = 29
"""Bits of a number that stays below 2^60 when multiplied by an integer of 32 bits."""


def from_signed(numbers: Int64) -> UInt64:
    """Return signed integers of 64 bits modulo PRIME."""
    # The shift keeps the sign: a negative number is its lower bits plus at least -4 times 2^61.
    return reduce(((numbers & np.int64(PRIME)) + (numbers >> np.int64(61))).view(np.uint64) + PRIME)


def reduce(numbers: UInt64) -> UInt64:
    """Reduce numbers of up to 64 bits, which must be below 2^64 - 8, modulo PRIME."""
    reduced: UInt64 = (numbers & PRIME) + (numbers >> BITS)
    return np.where(reduced > PRIME, reduced - PRIME, reduced)


def multiply(left: UInt64, right: UInt64) -> UInt64:
    """Return the products modulo PRIME."""
    left_high, left_low = left >> HALF_BITS, left & HALF
    right_high, right_low = right >> HALF_BITS, right & HALF
    middle = left_high * right_low + left_low * right_high
    # 2^64 is 8 modulo PRIME. The middle part has 62 bits and is shifted by 32.
    return reduce(reduce(left_high * right_high * np.uint64(8) + _shift_by_32(middle)) + reduce(left_low * right_low))


def multiply_small(left: UInt64, right: UInt64) -> UInt64:
    """Return the products with numbers below 2^32, in half the time."""
    return reduce(_shift_by_32((left >> HALF_BITS) * right) + reduce((left & HALF) * right))


def _shift_by_32(numbers: UInt64) -> UInt64:
    """Return numbers times 2^32, not fully reduced: up to 2^61 + 2^35."""
    shifted: UInt64 = ((numbers & REST) << HALF_BITS) + (numbers >> REST_BITS)
    return shifted


def add_groups(numbers: UInt64, starts: Int64) -> UInt64:
    """Return the sums of consecutive groups, which begin at `starts`.

    A group has fewer than 2^31 numbers.
    """
    low, high = np.add.reduceat(numbers & HALF, starts), np.add.reduceat(numbers >> HALF_BITS, starts)
    return reduce(reduce(_shift_by_32(high)) + reduce(low))


def negate(numbers: UInt64) -> UInt64:
    """Return the additive inverses."""
    negated: UInt64 = PRIME - numbers
    return negated


def is_nonzero(numbers: UInt64) -> npt.NDArray[np.bool_]:
    """Return for each number whether it differs from zero; PRIME represents zero too."""
    is_zero: npt.NDArray[np.bool_] = numbers % PRIME == 0
    return ~is_zero
