"""Codes of 2 to 8 bits densely into 32-bit words, as compressed-tensors packs them: the first code lowest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray


def pack_words(codes: NDArray[np.int8] | NDArray[np.uint8], bits: int, use: ModuleType) -> NDArray[np.int32]:
    """Signed codes (rows, columns), raised by half their range, in words (rows, ceil(columns bits / 32))."""
    rows, columns = codes.shape
    raised = (codes.view(np.uint8) + np.uint8(1 << (bits - 1))) & np.uint8((1 << bits) - 1)
    missing = -columns % 32
    if missing:
        raised = np.pad(raised, ((0, 0), (0, missing)))
    if bits == 8:
        filled = np.ascontiguousarray(raised).view(np.int32)
    elif bits == 4:
        filled = use.pack_nibbles(raised).view(np.int32)
    else:
        planes = np.unpackbits(raised[..., None], axis=2, count=bits, bitorder="little")
        filled = np.packbits(planes.reshape(rows, -1), axis=1, bitorder="little").view(np.int32)
    return np.ascontiguousarray(filled[:, : -(-columns * bits // 32)])


def unpack_words(words: NDArray[np.int32], bits: int, columns: int) -> NDArray[np.int8]:
    """The codes that `pack_words` packed."""
    raw = np.ascontiguousarray(words).view(np.uint8)
    half = 1 << (bits - 1)
    if bits == 8:
        codes = raw
    elif bits == 4:
        codes = np.stack((raw & np.uint8(15), raw >> np.uint8(4)), axis=2).reshape(raw.shape[0], -1)
    else:
        planes = np.unpackbits(raw, axis=1, bitorder="little")
        planes = planes[:, : planes.shape[1] // bits * bits].reshape(raw.shape[0], -1, bits)
        codes = np.packbits(planes, axis=2, bitorder="little")[..., 0]
    return (codes[:, :columns].astype(np.int16) - half).astype(np.int8)
