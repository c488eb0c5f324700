"""Nets of branches side by side (Szegedy et al.): a module a family, on parts that they share."""
