"""The laboratory: real training runs, many and small, that feed the laws.

A study (TOML) becomes run specs with a content hash; each is trained, resumed where it was cut short, and kept with
what it was run on; `export` hands the runs to `isoflop.laws`. Training needs torch (the extra `lab`).
"""

from __future__ import annotations

from isoflop.lab.data import Corpus, DataSpec, build_corpus

__all__ = ["Corpus", "DataSpec", "build_corpus"]
