"""Import torchvision beside a CPU-only torch.

PyPI's torchvision is built against CUDA; beside a CPU build of torch its import fails because the compiled
operators ``nms`` and ``qnms`` are not registered.  Nothing here uses them, so their schemas alone are enough.
"""

import sys

import torch

_library = None


def import_torchvision():
    """Return the module torchvision (with ``datasets`` and ``transforms`` importable)."""
    global _library
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[name]
        _library = torch.library.Library("torchvision", "DEF")
        _library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision
    return torchvision
