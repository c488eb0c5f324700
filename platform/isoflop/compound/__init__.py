"""Compound scaling as studies: run, report, plot, and choose by what they found."""

from isoflop.compound.study import found_of as found_of
from isoflop.compound.study import resume as resume
from isoflop.compound.study import scale as scale
from isoflop.compound.study import scaling_plan as scaling_plan
