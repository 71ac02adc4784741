"""A platform in miniature that proves the pipeline: simulator, workers, verifying receivers, expectation."""
