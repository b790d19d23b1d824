"""GPTQ and AWQ: calibrated on a text, which llm-compressor does well; it is called where it is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import BadFile, BadInput, MissingData, shorten
from isoflop.quantize.scheme import scheme

if TYPE_CHECKING:
    from pathlib import Path

METHODS = ("gptq", "awq")
_SCHEMES = {"int4-g128": "W4A16", "int4-g128-affine": "W4A16_ASYM", "int8-w8a8": "W8A8"}
_SAMPLES, _WINDOW = 256, 512


def calibrated(source: Path, folder: Path, to: str, text: Path, method: str) -> None:
    """Quantize with a calibrated method of llm-compressor into `folder`.

    Raises:
        MissingData: llm-compressor is not installed.
        BadInput: a method or scheme that it does not have.
        BadFile: a folder that is there already, or no text.
    """
    if method not in METHODS:
        raise BadInput(f"no method '{shorten(method)}'; there are {' and '.join(METHODS)}.")
    name = scheme(to).name
    if name not in _SCHEMES:
        raise BadInput(f"{method} makes {', '.join(_SCHEMES)}, not {name}.")
    if folder.exists():
        raise BadFile(f"{shorten(str(folder), most=200)}: is there already; give a new name, or remove it first.")
    if not text.is_file():
        raise BadFile(f"{shorten(str(text), most=200)}: give a text file to calibrate on.")
    try:
        from datasets import Dataset
        from llmcompressor import oneshot
        from llmcompressor.modifiers.awq import AWQModifier
        from llmcompressor.modifiers.quantization import GPTQModifier
    except ImportError as error:
        raise MissingData(
            f"{method} is done by llm-compressor, which is not installed: pip install llmcompressor. Without a text to "
            "calibrate on, --scales mse is the nearest."
        ) from error
    kind = GPTQModifier if method == "gptq" else AWQModifier
    words = text.read_text(encoding="utf-8", errors="replace").split("\n\n")
    rows = [paragraph for paragraph in words if len(paragraph) > 200][: 4 * _SAMPLES] or words
    oneshot(
        model=str(source), dataset=Dataset.from_dict({"text": rows}), output_dir=str(folder),
        recipe=kind(targets="Linear", scheme=_SCHEMES[name], ignore=["lm_head"]),
        num_calibration_samples=min(_SAMPLES, len(rows)), max_seq_length=_WINDOW,
    )  # fmt: skip
