import torch

from cf_utils.checks import check_share
from cf_utils.methods.base import Method


class Freeze(Method):
    """From the second task on, freezes filters: their weights, biases,
    and batch-norm's parameters and statistics.

    share: in [0, 1], of the filters of each layer that are still free as a task begins, those of
    highest score first. scores: a function of the model and of the task before, which gives
    layer -> ``[filters]``, for all replicas.
    norms: layer -> name of the norm behind it, where there is one.
    What is frozen is put back after each step, so that neither a gradient nor momentum nor weight
    decay moves it, and stays frozen. Other layers, such as the head, are free. ``rows``: layer ->
    indices of its frozen filters.
    """

    def __init__(self, share, scores, norms=None):
        self.share, self.scores, self.norms = check_share("share", share), scores, norms or {}
        self.rows, self.kept = {}, []

    def before_task(self, loop):
        self.kept = []
        if loop.t == 0:
            return
        for layer, score in self.scores(loop.model, loop.stream.tasks[loop.t - 1]).items():
            score = torch.as_tensor(score, dtype=torch.float64).clone()
            held = self.rows.get(layer, torch.arange(0))
            score[held] = torch.inf  # they stay first
            count = len(held) + round(self.share * (len(score) - len(held)))
            self.rows[layer] = rows = score.argsort(descending=True, stable=True)[:count]
            for name, value in (loop.model.weights | loop.model.statistics).items():
                if name.rpartition(".")[0] in (layer, self.norms.get(layer)) and value.ndim > 1:
                    self.kept.append((value, rows, value[:, rows].detach().clone()))

    def after_step(self, loop):
        for value, rows, then in self.kept:
            value.data[:, rows] = then
