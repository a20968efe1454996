"""Types of the numpy arrays in which sketches, totals and fingerprints are computed.

They stand here because `db.sketches` is the lowest package that may import numpy.
"""

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
