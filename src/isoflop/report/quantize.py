"""Conversions and number formats drawn: what was lost, what was saved, what stays; what a value becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.report.blocks import Blocks, Row, Section, blocks_html, blocks_markdown, blocks_text
from isoflop.report.table import Column, table_html, table_markdown, table_text
from isoflop.report.words import finite, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.quantize import NumberFormat, Report, Stored, TensorReport
    from isoflop.quantize.quality import Quality
    from isoflop.report.json import Json
    from isoflop.report.table import Cell

WORST = 5
"""Tensors that the short report names."""

TENSOR_COLUMNS = (
    "tensor",
    "to",
    Column(name="bytes", quantity="weight_bytes"),
    Column(name="relative_error", title="rel. error", written=lambda value: f"{value:.4f}"),
    Column(name="sqnr", title="SQNR dB", written=lambda value: f"{value:.1f}"),
    Column(name="largest_error", title="max error", written=lambda value: f"{value:.3g}"),
    "why",
)
FORMAT_COLUMNS = ("name", Column(name="bits", right=True), "sign/exp/mant", "range", "smallest", "step at 1")
STORED_COLUMNS = ("format", "scale", "stored bits", "reads back as", "error")

_MOST_BITS = 19
"""Up to so many bits are shown one by one; longer ones in hexadecimal."""


def quantize_blocks(report: Report, judged: Quality | None = None) -> Blocks:
    """The short report: scheme, error, bytes, perplexity where it was measured, what is kept, the worst tensors."""
    return Blocks(
        title=report.words,
        rows=(
            Row(label="from", value=report.source),
            Row(label="to", value=report.folder),
            *_error_rows(report),
            *_byte_rows(report),
            *_quality_rows(judged),
        ),
        sections=(*_kept(report), *_worst(report), *_notes(report)),
        notes=(f"One line a tensor: {report.folder}/quantization_report.json, or --tensors.",),
    )


def _error_rows(report: Report) -> tuple[Row, ...]:
    if not report.quantized:
        return ()
    numbers = sum(one.numbers for one in report.quantized)
    sqnr = f"{report.sqnr:.1f} dB" if report.sqnr is not None else "no noise"
    choice = {"absmax": "the largest magnitude", "mse": "the least squared error", "percentile": "a percentile"}
    how = "" if report.scheme in {"bf16", "fp16", "fp32"} else f"; scales from {choice[report.choice]}"
    return (
        Row(
            label="error",
            value=f"{report.relative_error:.2%} relative, {sqnr}",
            remark=f"of {len(report.quantized):,} tensors, {say(numbers, 'params')} weights{how}; "
            f"the largest {report.largest_error:.3g}",
        ),
        Row(
            label="bits a weight", value=f"{report.bits_per_weight:.3f}", remark="of what was converted, scales and all"
        ),
    )


def _byte_rows(report: Report) -> tuple[Row, ...]:
    before, after = (say(size, "weight_bytes") for size in (report.file_bytes_before, report.file_bytes_after))
    saved = f"{_percent(report.saved())} against the source, {_percent(report.saved(4))} against all in FP32, "
    saved += f"{_percent(report.saved(2))} against all in BF16"
    speed = report.bytes_before / report.seconds if report.seconds else 0.0
    again = f"; {report.resumed:,} files were there from an earlier call" if report.resumed else ""
    rows = [Row(label="files", value=f"{before} to {after}", remark=f"saves {saved}")]
    if speed:
        rows.append(Row(label="took", value=f"{report.seconds:.2f} s", remark=f"{speed / 1e9:.2f} GB/s read{again}"))
    return tuple(rows)


def _quality_rows(judged: Quality | None) -> tuple[Row, ...]:
    if judged is None:
        return ()
    off = judged.loss_after - judged.loss_before
    said = f"{judged.perplexity_before:.4g} to {judged.perplexity_after:.4g}"
    remark = (
        f"loss {judged.loss_before:.4f} to {judged.loss_after:.4f} nats/token, {off:+.4f} ± {1.64 * judged.spread:.4f}"
    )
    return (Row(label="perplexity", value=said, remark=f"{remark} (90 %) on {judged.tokens:,} tokens"),)


def _percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %")


def _kept(report: Report) -> tuple[Section, ...]:
    lines = tuple(
        f"{term.name}: {say(term.value, 'weight_bytes')}, {term.value / report.bytes_after:.1%} of the new file"
        for term in report.ledger.terms
    )
    return (Section(heading="Bytes", lines=lines),)


def _worst(report: Report) -> tuple[Section, ...]:
    ranked = sorted(report.quantized, key=lambda one: -(one.relative_error or 0.0))[:WORST]
    lines = tuple(f"{one.name}: {one.relative_error or 0.0:.2%}, largest {one.largest:.3g}" for one in ranked)
    return (Section(heading="Most error", lines=lines),) if lines and len(report.quantized) > 1 else ()


def _notes(report: Report) -> tuple[Section, ...]:
    odd = tuple(f"{one.name}: {one.note}" for one in report.tensors if one.note and one.numbers > 1)
    said = (*report.warnings, *odd[:WORST], *((f"{len(odd) - WORST:,} more",) if len(odd) > WORST else ()))
    return (Section(heading="Mind", lines=said, loud=True),) if said else ()


def quantize_text(
    report: Report,
    judged: Quality | None = None,
    *,
    tensors: bool = False,
    width: int = 80,
    color: bool = False,
    ascii_only: bool = False,
) -> str:
    """The report for a terminal; with `tensors` a line for each."""
    text = blocks_text(quantize_blocks(report, judged), width=width, color=color, ascii_only=ascii_only)
    if tensors:
        table = table_text(TENSOR_COLUMNS, tensor_rows(report.tensors), width=width, color=color, ascii_only=ascii_only)
        text += "\n\n" + table
    return text


def quantize_markdown(report: Report, judged: Quality | None = None, *, tensors: bool = False) -> str:
    """The report in Markdown."""
    table = "\n\n" + table_markdown(TENSOR_COLUMNS, tensor_rows(report.tensors)) if tensors else ""
    return blocks_markdown(quantize_blocks(report, judged)) + table


def quantize_html(report: Report, judged: Quality | None = None, *, tensors: bool = False) -> str:
    """The report as an HTML fragment."""
    table = table_html(TENSOR_COLUMNS, tensor_rows(report.tensors)) if tensors else ""
    return blocks_html(quantize_blocks(report, judged)) + table


def tensor_rows(tensors: Sequence[TensorReport]) -> list[tuple[Cell, ...]]:
    """A row for each tensor."""
    return [
        (
            one.name,
            one.stored,
            float(one.bytes_after),
            None if one.kept and not one.squares else one.relative_error,
            one.sqnr,
            None if one.kept and not one.squares else one.largest,
            one.kept or one.note,
        )
        for one in tensors
    ]


def format_rows(formats: Sequence[NumberFormat]) -> list[tuple[Cell, ...]]:
    """A row for each number format, as texts."""
    return [
        (
            one.name,
            f"{one.bits_with_scale:g}",
            one.layout,
            range_text(one),
            number_text(one.smallest),
            number_text(one.epsilon) if one.epsilon is not None else "-",
        )
        for one in formats
    ]


def range_text(one: NumberFormat) -> str:
    """From the lowest to the largest value: "±65504", "-128 to 127"."""
    if one.lowest == -one.largest:
        return f"±{number_text(one.largest)}"
    return f"{number_text(one.lowest)} to {number_text(one.largest)}"


def format_notes(formats: Sequence[NumberFormat]) -> list[str]:
    """What the table leaves out, a line a format."""
    return [f"{one.name}: {one.note}" for one in formats if one.note]


def stored_rows(stored: Sequence[Stored]) -> list[tuple[Cell, ...]]:
    """What one value becomes, a row for each format and scale, as texts."""
    return [
        (
            one.format.title,
            f"{one.scale:.5g}" if one.format.scaled else "-",
            one.code if one.format.bits <= _MOST_BITS else f"0x{int(one.code.replace(' ', ''), 2):x}",
            number_text(one.read),
            error_text(one),
        )
        for one in stored
    ]


def error_text(one: Stored) -> str:
    """The error as a share of the value, or that the value lies outside."""
    if one.clipped:
        return "beyond the range: its end"
    if not one.error:
        return "exact"
    if one.relative is None or abs(one.relative) < 1e-4:
        return f"{one.relative or 0.0:+.1e}"
    return f"{one.relative:+.2%}".replace("%", " %")


def number_text(value: float | None) -> str:
    """A number to nine digits, to six where it is far from 1."""
    if value is None:
        return "-"
    return f"{value:.9g}" if 1e-5 < abs(value) < 1e9 or not value else f"{value:.5g}"


def formats_json(formats: Sequence[NumberFormat]) -> Json:
    """Number formats as objects."""
    return [
        {
            "name": one.name, "bits": one.bits, "exponent": one.exponent, "mantissa": one.mantissa, "kind": one.kind,
            "lowest": finite(one.lowest, one.name), "largest": finite(one.largest, one.name),
            "smallest": finite(one.smallest, one.name), "smallest_normal": finite(one.normal, one.name),
            "epsilon": one.epsilon, "note": one.note,
        }
        for one in formats
    ]  # fmt: skip


def stored_json(stored: Sequence[Stored]) -> Json:
    """What a value becomes, as objects."""
    return [
        {
            "format": one.format.name, "scale": one.scale, "bits": one.code.replace(" ", ""), "read": one.read,
            "error": one.error, "relative_error": one.relative, "clipped": one.clipped,
        }
        for one in stored
    ]  # fmt: skip
