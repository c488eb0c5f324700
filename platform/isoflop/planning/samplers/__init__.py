"""Samplers: what suggests the parameters of the next trial, each a pure function of what it may see."""
