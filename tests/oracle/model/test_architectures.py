"""Every class of transformers that writes text is believed under its own model_type."""

from __future__ import annotations

import pytest

from isoflop.model.architectures import class_doubts
from isoflop.model.families import readers

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.oracle.model.zoo import library

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

TABLES = ("CAUSAL_LM", "IMAGE_TEXT_TO_TEXT", "MULTIMODAL_LM", "SEQ_TO_SEQ_CAUSAL_LM", "MASKED_LM", "SPEECH_SEQ_2_SEQ")


def test_classes_of_transformers_are_no_reason_to_doubt() -> None:
    auto = library().models.auto.modeling_auto
    wrong = []
    for table in TABLES:
        for kind, name in getattr(auto, f"MODEL_FOR_{table}_MAPPING_NAMES").items():
            for one in (name,) if isinstance(name, str) else name:
                if kind in readers():
                    wrong += class_doubts({"architectures": [one]}, kind, headed=True)
    assert not wrong


def test_classes_with_other_heads_are() -> None:
    auto = library().models.auto.modeling_auto
    for table in ("SEQUENCE_CLASSIFICATION", "TOKEN_CLASSIFICATION", "QUESTION_ANSWERING"):
        for kind, name in getattr(auto, f"MODEL_FOR_{table}_MAPPING_NAMES").items():
            if kind in readers():
                assert class_doubts({"architectures": [name]}, kind, headed=True), name
