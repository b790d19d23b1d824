from __future__ import annotations

import pytest

from isoflop.report.citations import link, looked_up, references


def test_each_work_once_with_its_address() -> None:
    works = references(("kaplan2020 §2.1", "tpu-v4 data sheet", "kaplan2020 §3", "definition"))
    assert [(work.key, work.url) for work in works] == [("kaplan2020", "https://arxiv.org/abs/2001.08361")]
    assert works[0].text == "Kaplan et al. (2020), Scaling Laws for Neural Language Models"


def test_definitions_are_not_named() -> None:
    assert looked_up(("definition", "kaplan2020 §2.1", "own device.toml")) == ("kaplan2020 §2.1", "own device.toml")


@pytest.mark.parametrize(
    ("cited", "address"),
    [
        ("kaplan2020 §2.1", "https://arxiv.org/abs/2001.08361"),
        ("https://cloud.google.com/tpu 2022-05-11", "https://cloud.google.com/tpu"),
        ("javascript:alert(1)", ""),
        ("estimate", ""),
        ("", ""),
    ],
)
def test_only_web_addresses_are_links(cited: str, address: str) -> None:
    assert link(cited) == address
