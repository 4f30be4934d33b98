"""Queues of jobs: one broker or store, one file; what travels and how it is opened beside them."""
