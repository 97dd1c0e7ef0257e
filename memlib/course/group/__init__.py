"""A class: every file of a folder graded by a command of its own, the ledger, the gradebook, its pages."""
