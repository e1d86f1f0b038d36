import torch

from cf_utils.checks import check_count
from cf_utils.data import flip_and_crop
from cf_utils.methods.base import Method
from cf_utils.randomness import generator


class FlipAndCrop(Method):
    """Mirror and shift the images of every batch at random (``data.flip_and_crop``),
    each replica by its own draws.

    padding: the largest shift in pixels. Replayed samples are changed too if the list of methods
    has Replay before it. It is no remedy for forgetting, and so has no name that comparisons would
    find it by.
    """

    example = {"padding": 4}

    def __init__(self, padding=4):
        self.padding = check_count("padding", padding)

    def augment(self, loop, batch):
        draws = [generator(seed, f"augment {loop.step}", loop.t) for seed in loop.seeds]
        batch.x = torch.stack(
            [flip_and_crop(x, draw, self.padding) for x, draw in zip(batch.x, draws, strict=True)]
        )
        return batch
