"""Training of the models that ship: corpora, batches, loops, export. Needs the extra ``train`` (torch)."""
