from cf_utils import importances
from cf_utils.methods.springs import Anchored, outputs_of_task


class MAS(Anchored):
    """Memory aware synapses (Aljundi et al. 2018, arXiv:1711.09601):
    loss + strength * sum Omega (w - w*)^2.

    Omega: how much the length of the outputs hangs on a weight, added up over tasks; w*: the
    weights after the last. kind: "global" or "local" (Hebbian), see ``importances.mas``, over the
    outputs that count.
    """

    name = "mas"

    def __init__(self, strength, kind="global"):
        super().__init__(strength)
        importances.check_kind(kind, importances.SYNAPSES)
        self.kind = kind

    def importance_of(self, loop):
        """Omega of the loop's task, name -> ``[R, ...]``."""
        return importances.mas(
            loop.model, loop.scaled(loop.task.x_train), self.kind, outputs_of_task(loop)
        )
