"""Studies of one run: what each of its choices is worth, and what it comes to on every fold of its data."""

from isoflop.followup.ablation import ablate as ablate
from isoflop.followup.folds import cross_validate as cross_validate
from isoflop.followup.resumption import resume as resume
