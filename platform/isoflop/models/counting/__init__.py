"""Counting what a net does: FLOPs, tensors kept, and the memory that training takes, on the meta device."""

from __future__ import annotations

from isoflop.models.counting.kin import Heard as Heard
from isoflop.models.counting.kin import Kin as Kin
from isoflop.models.counting.path import AUXILIARY as AUXILIARY
from isoflop.models.counting.path import depth as depth
from isoflop.models.counting.path import path as path
from isoflop.models.counting.path import width as width
from isoflop.models.counting.peak import Operation as Operation
from isoflop.models.counting.peak import Peak as Peak
from isoflop.models.counting.peak import peak as peak
from isoflop.models.counting.standin import undrawn as undrawn
from isoflop.models.counting.tally import Tally as Tally
