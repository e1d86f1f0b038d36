import torch

from cf_utils.checks import check_count, check_switch
from cf_utils.methods.base import Method
from cf_utils.methods.memory import Memory


class Replay(Method):
    """Experience replay: joins stored samples of earlier tasks to every batch (Chaudhry et al.
    2019, 1902.10486).

    memory: samples stored in all, shared evenly by the tasks seen (what a small task leaves of its
    share goes to the others), or with ``per_task`` of each; chosen at random.
    batch: stored samples joined to each batch, drawn with replacement; None: as many as the batch
    has. The loss is the mean over new and old samples together. ``stored`` is the ``Memory``;
    ``stored.drawn`` tells which of its samples are in this step's batch.
    """

    name = "replay"
    dial = "memory"
    example = {"memory": 500}

    def __init__(self, memory, batch=None, per_task=False):
        self.memory = check_count("memory", memory)
        self.per_task = check_switch("per_task", per_task)
        self.batch = batch if batch is None else check_count("batch", batch, least=1)
        self.stored = Memory(self.memory, self.per_task)

    def before_epoch(self, loop):
        self.stored.draw(loop, self.batch or loop.config.batch_size)

    def augment(self, loop, batch):
        if self.stored.draws is not None:
            x, y = self.stored.of_step(loop.epoch_step)
            batch.x = torch.cat([batch.x, x], 1)
            batch.y = torch.cat([batch.y, y], 1)
        return batch

    def after_task(self, loop):
        self.stored.add(loop)
