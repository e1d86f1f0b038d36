"""The methods, one file each; importing this package fills ``METHODS``, name -> class."""

import importlib
import pkgutil

from cf_utils.methods.base import METHODS, Batch, Method

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")

from cf_utils.methods.activation_l1 import ActivationL1  # noqa: E402
from cf_utils.methods.finetune import Finetune  # noqa: E402
from cf_utils.methods.replay import Replay  # noqa: E402

__all__ = ["METHODS", "ActivationL1", "Batch", "Finetune", "Method", "Replay"]
