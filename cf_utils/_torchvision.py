"""Import torchvision beside a CPU-only torch, where that of PyPI, built against CUDA, fails.

Its compiled operators ``nms`` and ``qnms`` are missing. Nothing here uses them, so their schemas
alone are enough.
"""

import torch


def import_torchvision():
    """Return the module torchvision, with its parts importable."""
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        for name in ("nms", "qnms"):
            torch.library.define(
                f"torchvision::{name}",
                "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
            )
        import torchvision
    return torchvision
