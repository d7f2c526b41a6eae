"""The methods of hf_ssl, in the order in which they are listed. Importing them imports no torch."""

# ruff: noqa: F401, F403, I001

from typing import TYPE_CHECKING

from . import (
    simclr,
    supervised,
    moco_v2,
    infomin,
    byol,
    simsiam,
    barlow_twins,
    vicreg,
    swav,
    deepcluster_v2,
    dino,
    ibot,
    obow,
    mae,
    videomae,
    audiomae,
    clip,
    beit,
    fixmatch,
)

if TYPE_CHECKING:  # what `hf_ssl.<name>` gives, for whoever reads without running
    from .simclr import *
    from .supervised import *
    from .moco_v2 import *
    from .infomin import *
    from .byol import *
    from .simsiam import *
    from .barlow_twins import *
    from .vicreg import *
    from .swav import *
    from .deepcluster_v2 import *
    from .dino import *
    from .ibot import *
    from .obow import *
    from .mae import *
    from .videomae import *
    from .audiomae import *
    from .clip import *
    from .beit import *
    from .fixmatch import *
