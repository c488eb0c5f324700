"""Compound scaling as a plan: shapes are fitted, sizes climbed to, the largest predicted before they are trained."""
