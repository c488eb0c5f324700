"""DVC stages, thin: parameters, one call, files."""
