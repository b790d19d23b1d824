"""`python -m isoflop` is the command line."""

from __future__ import annotations

from isoflop.cli import main

if __name__ == "__main__":
    main()
