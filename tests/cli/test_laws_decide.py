"""What the commands that decide with laws say to bad words: exit codes and messages, never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from isoflop.cli import main

ROOT = Path(__file__).resolve().parents[2]
STUDY = str(ROOT / "examples" / "laws" / "study.csv")
CURVE = str(ROOT / "examples" / "laws" / "wsd.csv")

BAD = [
    (("allocate", "nosuch", "--flops", "1e24"), 2, "no law 'nosuch'"),
    (("allocate", "besiroglu2024"), 2, "either what may be spent"),
    (("allocate", "besiroglu2024", "--flops", "1e24", "--loss", "2"), 2, "not both"),
    (("allocate", "besiroglu2024", "--flops", "-3"), 2, "above 0"),
    (("allocate", "besiroglu2024", "--on", "h100-sxm"), 2, "--budget"),
    (("allocate", "besiroglu2024", "--flops", "1e24", "--set", "foo=1"), 2, "no input 'foo'"),
    (("allocate", "besiroglu2024", "--flops", "1e24", "--set", "foo=bar"), 2, "give a number"),
    (("allocate", "besiroglu2024", "--flops", "1e24", "--epochs", "2"), 2, "unique_tokens"),
    (("allocate", "besiroglu2024", "--flops", "1e24", "--serve-ratio", "-1"), 2, "positive"),
    (("allocate", "besiroglu2024", "--flops", "1e24", "--format", "svg", "--out", "x.png"), 2, "disagree"),
    (("allocate", "ratio20", "--flops", "1e24"), 3, "besiroglu2024"),
    (("allocate", "besiroglu2024", "--loss", "1.2"), 4, "falls to"),
    (("allocate", "besiroglu2024", "--budget", "1m", "--on", "h100-sxm"), 2, "million is M"),
    (("allocate", "nofile.json", "--flops", "1e24"), 2, "not there"),
    (("design", STUDY, "--target", "N=1B", "--allowance", "1e21", "--law", "chinchilla"), 2, "tokens is missing"),
    (("design", STUDY, "--target", "N=1B,D=x", "--allowance", "1e21"), 2, "cannot be read"),
    (("design", STUDY, "--target", "N=1B,D=20B", "--allowance", "1", "--law", "chinchilla"), 4, "cheapest takes"),
    (("design", STUDY, "--target", "N=1B,D=20B", "--allowance", "1e21", "--law", "foo"), 2, "no law form 'foo'"),
    (("running", CURVE), 3, "how long"),
    (("running", CURVE, "--total", "1000"), 2, "beyond the 1000"),
    (("running", CURVE, "--total", "4000", "--schedule", "cosine", "--final", "2"), 2, "0<=x<=1"),
    (("running", STUDY, "--total", "1T"), 3, "no learning rate"),
    (("compare", "besiroglu2024", "ratio20", "--difference"), 3, "besiroglu2024"),
    (("compare", "besiroglu2024", "hoffmann2022", "--target", "N=7B"), 2, "params and tokens"),
    (("compare", "besiroglu2024", "hoffmann2022", "--same-tokens", "--bytes-per-token", "4,4"), 2, "one of them"),
]


@pytest.mark.parametrize(("words", "code", "said"), BAD, ids=[" ".join(words)[-48:] for words, _, _ in BAD])
def test_bad_words_are_told(words: tuple[str, ...], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["laws", *words])
    told = capsys.readouterr()
    assert left.value.code == code, told.err
    assert said in " ".join(told.err.split())
    assert "Traceback" not in told.err
    assert not told.out
