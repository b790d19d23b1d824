"""Which form for these runs: candidates, their rolling extrapolation, a weighted blend, and backtests of all that.

Lowest first: candidate, blend, rolling, auto, backtest.
"""
