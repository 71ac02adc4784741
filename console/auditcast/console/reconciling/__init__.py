"""What operators ask of the whole: was everything that was emitted delivered, and where is what is still owed?

The pure parts: `recount` counts the log anew, `ledger` what became of the batches, `account` compares the two. The
shell is `gathering`, and `report` says it.
"""
