"""The methods, one file each; each file is listed here, which fills ``METHODS``, name -> class."""

from cf_utils.methods.activation_l1 import ActivationL1
from cf_utils.methods.augment import FlipAndCrop
from cf_utils.methods.base import METHODS, Batch, Method, Moments
from cf_utils.methods.controls import Labels, ShuffledSPL
from cf_utils.methods.ewc import EWC
from cf_utils.methods.finetune import Finetune
from cf_utils.methods.freeze import Freeze
from cf_utils.methods.l2 import L2
from cf_utils.methods.long_short import LongShort
from cf_utils.methods.lwf import LwF
from cf_utils.methods.mas import MAS
from cf_utils.methods.memory import Memory
from cf_utils.methods.ogd import OGD
from cf_utils.methods.preserve import APR, SPL
from cf_utils.methods.replay import Replay
from cf_utils.methods.schedules import Cosine, SlowDown
from cf_utils.methods.si import SI
from cf_utils.methods.springs import Anchored

__all__ = [
    "APR",
    "EWC",
    "L2",
    "MAS",
    "METHODS",
    "OGD",
    "SI",
    "SPL",
    "ActivationL1",
    "Anchored",
    "Batch",
    "Cosine",
    "Finetune",
    "FlipAndCrop",
    "Freeze",
    "Labels",
    "LongShort",
    "LwF",
    "Memory",
    "Method",
    "Moments",
    "Replay",
    "ShuffledSPL",
    "SlowDown",
]
