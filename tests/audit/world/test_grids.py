"""Tables inside of prose: their rows are held against themselves and the catalogues."""

from __future__ import annotations

from isoflop.audit import Finding, audit_text

MODELS = """Some models:

| Model | Parameters | Tokens | FLOPs |
|---|---|---|---|
| GPT-3 | 175B | 300B | 3.1e23 |
| LLaMA 65B | 65B | 1.4T | 5.5e23 |
| Gopher | 280B | 300B | 6.3e23 |
| Ours | 13B | 260B | 2.0e22 |
| T5-11B | 11B | 1T | 3.3e22 |
"""

DEVICES = """| GPU | BF16 dense (TFLOPS) | Memory (GB) | Bandwidth |
|:--|--:|--:|--:|
| A100 80GB | 312 | 80 | 2.0 TB/s |
| H100 SXM | 989 | 80 | 3.35 TB/s |
| H200 | 989 | 141 | 4.8 TB/s |
"""


def wrong(text: str) -> list[Finding]:
    return [finding for finding in audit_text(text, "post.md").findings if finding.is_wrong]


def test_right_tables_are_left_alone() -> None:
    assert not wrong(MODELS)
    assert not wrong(DEVICES)


def test_a_row_that_contradicts_itself_is_found() -> None:
    found = wrong(MODELS.replace("2.0e22", "6.8e21"))
    assert [(one.step, one.kind) for one in found] == [("L8", "forward_for_training")]


def test_a_cell_that_the_catalogue_has_otherwise_is_found() -> None:
    found = wrong("| Model | Parameters | Layers |\n|---|---|---|\n| GPT-3 | 175B | 96 |\n| PaLM | 54B | 118 |\n")
    assert [(one.step, round(one.factor or 0, 2)) for one in found] == [("L4", 0.1)]


def test_a_sparse_peak_in_a_table_of_dense_ones_is_found() -> None:
    found = wrong(DEVICES.replace("| H100 SXM | 989", "| H100 SXM | 1,979"))
    assert [(one.step, one.kind) for one in found] == [("L4", "sparse_for_dense")]
