"""Building blocks that a recipe may exchange where a family allows it, each by the name that specs give it."""

from __future__ import annotations

from isoflop.models.blocks.activation import ACTIVATIONS as ACTIVATIONS
from isoflop.models.blocks.activation import activation as activation
from isoflop.models.blocks.attention import ATTENTIONS as ATTENTIONS
from isoflop.models.blocks.attention import attention as attention
from isoflop.models.blocks.convolution import CONVOLUTIONS as CONVOLUTIONS
from isoflop.models.blocks.convolution import convolution as convolution
from isoflop.models.blocks.downsampling import DOWNSAMPLINGS as DOWNSAMPLINGS
from isoflop.models.blocks.downsampling import downsampling as downsampling
from isoflop.models.blocks.normalization import NORMALIZATIONS as NORMALIZATIONS
from isoflop.models.blocks.normalization import normalization as normalization
from isoflop.models.blocks.pooling import POOLINGS as POOLINGS
from isoflop.models.blocks.pooling import Pooling as Pooling
from isoflop.models.blocks.pooling import pooling as pooling
