"""Memory in pages of its own, for arrays that are large and mostly empty at first."""

from __future__ import annotations

import math
import mmap
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["zeros"]


def zeros(shape: Sequence[int], dtype: type[np.generic]) -> npt.NDArray[Any]:
    """Zeros in pages of their own: resident once written, and the system's again when released.

    The allocator would keep what a smaller block leaves behind, a third of a large store.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    return np.ndarray(shape, dtype, buffer=mmap.mmap(-1, max(1, size)))
