"""The default sampler: a Gaussian process that is additive over single dimensions, pairs and more."""
