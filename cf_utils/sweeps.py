"""The strengths of a method, side by side."""

from dataclasses import replace

import torch

from cf_utils import metrics
from cf_utils.training import run_stream, task_accuracies


def sweep(build, make, strengths, stream, config, seeds):
    """Train a method at every strength, all side by side:
    each replica has one of the strengths and one of the seeds.

    make: takes a list of strengths, one a replica, and gives the method. strengths: ``[K]``, 0 or
    more. Returns a dict of ``[K, seeds]`` in percent: on validation images "accuracy" after the
    stream, "learned" (right after each task) and "forgotten" since then; and "test", accuracy on
    test images after the stream. A run that diverges is NaN.
    """
    every_seed = list(seeds) * len(strengths)
    method = make([float(strength) for strength in strengths for _ in seeds])
    run = run_stream(
        build, method, stream, replace(config, allow_divergence=True), every_seed, evaluate="val"
    )
    found = {
        "accuracy": metrics.average_accuracy(run.accuracy),
        "learned": metrics.learning_accuracy(run.accuracy),
        "forgotten": -metrics.backward_transfer(run.accuracy),
        "test": task_accuracies(run.model, stream).mean(1).where(~run.diverged, torch.nan),
    }
    return {
        key: 100 * value.view(len(strengths), len(seeds)).numpy() for key, value in found.items()
    }
