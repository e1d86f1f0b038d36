from cf_utils.checks import check_count, check_share, check_switch
from cf_utils.methods.replay import Replay


class LongShort(Replay):
    """Each epoch rehearses the memory, then trains on the new task with a share of each layer's
    filters held.

    The held ones are the long-term weights: rehearsal alone moves them. In the first task nothing
    is held.
    memory: samples stored in all, as of ``Replay``. share: of the filters (or units), in [0, 1],
    the first ones of every layer whose name begins with "conv" or "fc"; the head and other layers,
    such as shortcuts, stay free.
    every: rehearse in each ``every``-th epoch. norms: hold all of batch-norm's weights, biases and
    statistics as well. What is held is put back after each step, its momentum with it, so that
    nothing moves it by a bit.
    """

    example = {"memory": 500, "share": 0.5}

    def __init__(self, memory, share=0.0, every=1, norms=False):
        super().__init__(memory)
        self.share, self.every = check_share("share", share), check_count("every", every, least=1)
        self.norms, self.held = check_switch("norms", norms), []

    def before_epoch(self, loop):
        self.held = []
        if not len(self.stored):
            return
        if loop.epoch % self.every == 0:
            loop.train_epoch(self.stored.x, self.stored.y, "memory")
        weights, statistics = loop.model.weights, loop.model.statistics
        norms = {name.rpartition(".")[0] for name in statistics}
        head = loop.model.head if self.share else {}
        for name, value in (weights | statistics).items() if self.share else ():
            normal = name.rpartition(".")[0] in norms
            split = name.split(".")[-2].startswith(("conv", "fc"))
            if value.ndim > 1 and (self.norms if normal else split and name not in head):
                self.hold(
                    loop, value, value.shape[1] if normal else round(self.share * value.shape[1])
                )

    def hold(self, loop, value, count):
        """Keep a stacked weight's first rows, and their momentum, to put back after each step."""
        momentum = loop.optimizer.state.get(value, {}).get("momentum_buffer")
        for tensor in (value, momentum):
            if tensor is not None:
                self.held.append((tensor, tensor[:, :count].detach().clone()))

    def augment(self, loop, batch):
        return batch  # no rehearsal within a pass

    def after_step(self, loop):
        for tensor, kept in self.held:
            tensor.data[:, : kept.shape[1]] = kept
