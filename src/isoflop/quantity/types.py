"""The two number types that every formula runs on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Real = float | FloatArray
