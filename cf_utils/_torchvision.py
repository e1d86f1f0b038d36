"""Import torchvision beside a CPU-only torch.

PyPI's torchvision is built against CUDA; beside a CPU build of torch its import fails because the compiled
operators ``nms`` and ``qnms`` are not registered. Nothing here uses them, so their schemas alone are enough.
"""

import torch


def import_torchvision():
    """Return the module torchvision (with ``datasets`` and ``transforms`` importable)."""
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision
    return torchvision
