"""Building blocks that a recipe may exchange where a family allows it, each by the name that specs give it."""
