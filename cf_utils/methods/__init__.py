"""The methods, one file each; importing this package fills ``METHODS``, name -> class, and exports each class."""

import importlib
import pkgutil

from cf_utils.methods.base import METHODS, Batch, Method, Moments

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")

globals().update({_method.__name__: _method for _method in METHODS.values()})
__all__ = ["METHODS", "Batch", "Method", "Moments", *sorted(_method.__name__ for _method in METHODS.values())]
