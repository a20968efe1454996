"""Price buckets of sketches: integers, so that every machine computes the same ones.

Amounts below 128 cents have a bucket each. Above, every octave (factor of two) has 64 buckets of equal width, so a bucket is at
most 1/64 of its prices wide. Negative amounts mirror positive ones.
"""

import numpy as np
import numpy.typing as npt

from db.sketches.arrays import Int64

MAX_ERROR = 1 / 64
"""Greatest difference between two prices of a bucket, relative to the smaller one."""
_STEP_BITS = 6
"""Binary logarithm of the number of buckets in an octave."""


def bucket_of(cents: Int64) -> npt.NDArray[np.int16]:
    """Return the bucket of each amount in US cents."""
    size = np.abs(cents)
    octave = _octaves(size)
    bucket = (octave << _STEP_BITS) + (size >> octave)
    return np.where(cents < 0, -bucket, bucket).astype(np.int16)


def bucket_bounds(bucket: npt.NDArray[np.int16] | Int64) -> tuple[Int64, Int64]:
    """Return the smallest and the largest amount of each bucket in US cents, both inclusive."""
    index = np.abs(bucket.astype(np.int64))
    octave = np.maximum((index >> _STEP_BITS) - 1, 0)
    near = (index - (octave << _STEP_BITS)) << octave
    far = near + (np.int64(1) << octave) - 1
    is_negative = bucket < 0
    return np.where(is_negative, -far, near), np.where(is_negative, -near, far)


def _octaves(size: Int64) -> Int64:
    """Return by how many bits each amount exceeds the 7 bits of an exact bucket."""
    # The exponent of a float is the number of bits, exactly: amounts of more than 53 bits are refused long before.
    bits = np.frexp(size.astype(np.float64))[1]
    return np.maximum(bits.astype(np.int64) - _STEP_BITS - 1, 0)
