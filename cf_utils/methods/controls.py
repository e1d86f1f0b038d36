"""What APR and SPL are held against: methods that differ from them in one thing,
and so have no name in METHODS.
"""

import torch
from torch.nn import functional as F

from cf_utils.methods.preserve import APR, SPL, look
from cf_utils.randomness import generator


class Labels(APR):
    """APR's samples, with cross-entropy in place of distances: what their labels alone would keep.

    loss + strength * mean cross-entropy, over all outputs and in evaluation mode, of the samples
    that APR would choose. The arguments are APR's; ``places`` says nothing here.
    """

    def penalty(self, loop, batch, logits):
        if self.samples is not None:
            out, _ = look(loop.model, self.samples[0], ())
            return self.mean(F.cross_entropy(out.mT, self.samples[1], reduction="none"))


class ShuffledSPL(SPL):
    """SPL with the maps of each replica's samples dealt out among those that count at random.

    As much noise is added as in SPL, and in places that are as likely, but they are another
    sample's. The order is drawn anew for each task. The arguments are SPL's.
    """

    def before_task(self, loop):
        super().before_task(loop)
        for r, seed in enumerate(loop.seeds if self.samples is not None else ()):
            counted = self.samples[2][r].nonzero()[:, 0]
            order = torch.randperm(len(counted), generator=generator(seed, "maps", loop.t))
            self.free[r, counted] = self.free[r, counted[order.to(counted.device)]]
