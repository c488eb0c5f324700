"""Does each recipe do its job? One module a recipe; `python -m benchmarks.recipes` runs them."""
