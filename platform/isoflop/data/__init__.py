"""Data sets: prepared once as uint8 arrays with fixed splits, opened by every training; loads no torch."""

from isoflop.data.health import Report as Report
from isoflop.data.health import check as check
from isoflop.data.preparation import Prepared as Prepared
from isoflop.data.preparation import prepare as prepare
from isoflop.data.prepared import PreparedData as PreparedData
from isoflop.data.prepared import listed as listed
from isoflop.data.prepared import open_prepared as open_prepared
from isoflop.data.prepared import verify as verify
from isoflop.data.source import Item as Item
from isoflop.data.source import Source as Source
