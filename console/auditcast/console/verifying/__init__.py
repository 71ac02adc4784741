"""Proving from what a receiver kept that nothing is missing, changed or contradictory (docs/auditing.md). Offline."""
