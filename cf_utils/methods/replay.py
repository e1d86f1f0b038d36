import torch

from cf_utils.methods.base import Method, check_count, take
from cf_utils.randomness import generator


class Replay(Method):
    """Experience replay: joins stored samples of earlier tasks to every batch (Chaudhry et al. 2019, 1902.10486).

    memory: samples stored in all, shared evenly by the tasks seen (what a small task leaves of its share goes to the
    others), or with ``per_task`` of each; chosen at random.
    batch: stored samples joined to each batch, drawn with replacement; None: as many as the batch has.
    The loss is the mean over new and old samples together.
    """

    name = "replay"
    dial = "memory"
    example = {"memory": 500}

    def __init__(self, memory, batch=None, per_task=False):
        self.memory, self.per_task = check_count("memory", memory), per_task
        self.batch = batch if batch is None else check_count("batch", batch, least=1)
        self.stored = []  # of each task: x [R, M, C, H, W] uint8 and y [R, M], in random order
        self.x = self.y = None

    def before_epoch(self, loop):
        """Draw the epoch's old samples at once: index ``[R, steps, batch]`` into the memory."""
        self.x = self.y = None
        if self.stored:
            x, y = (torch.cat(part, 1) for part in zip(*self.stored, strict=True))
            self.x, self.y = x.flatten(0, 1), y.flatten()  # replica by replica
            shape = (loop.steps, self.batch or loop.config.batch_size)
            sources = [generator(seed, f"replay {loop.epoch}", loop.t) for seed in loop.seeds]
            draws = [torch.randint(y.shape[1], shape, generator=source) for source in sources]
            start = y.shape[1] * torch.arange(len(y)).view(-1, 1, 1)
            self.draws = (torch.stack(draws) + start).to(loop.device)

    def augment(self, loop, batch):
        if self.x is None:
            return batch
        index = self.draws[:, loop.epoch_step % self.draws.shape[1]]  # another method's pass may be longer
        batch.x = torch.cat([batch.x, take(self.x, index)], 1)
        batch.y = torch.cat([batch.y, take(self.y, index)], 1)
        return batch

    def after_task(self, loop):
        x, y = loop.task.x_train, loop.task.y_train
        orders = [torch.randperm(len(y), generator=generator(seed, "memory", loop.t)) for seed in loop.seeds]
        keep = torch.stack(orders)[:, : self.memory].to(loop.device)
        stored = [*self.stored, (x[keep], y[keep])]
        sizes = [y.shape[1] for _, y in stored]
        parts = sizes if self.per_task else shares(sizes, self.memory)
        self.stored = [(x[:, :n], y[:, :n]) for (x, y), n in zip(stored, parts, strict=True) if n]


def shares(sizes, room):
    """How many samples each task may keep of ``sizes`` it has, evenly, in ``room`` samples in all.

    What a small task leaves of its share goes to the others. With more tasks than room the earliest keep one each.
    """
    level = next((level for level in range(room, 0, -1) if sum(min(n, level) for n in sizes) <= room), 0)
    return [min(n, level) for n in sizes] if level else [int(t < room) for t in range(len(sizes))]
