"""What a law is for: splitting a budget, choosing the next runs, foreseeing a run that is under way, comparing laws.

Lowest first: belief (a law with its draws), budget and allocate, design, schedule and running, compare.
"""
