"""`make bench`: what a phone's request costs, each figure beside its reference in one run. Prints, never judges by exit code."""
