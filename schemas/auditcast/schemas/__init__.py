"""What travels: events, the pipeline's own records, the chain over batches, formats, sealing."""
