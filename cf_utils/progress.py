"""How far a run has come: a bar where somebody watches, a line a task where nobody does."""

import os
import sys
import time

from tqdm.auto import tqdm

from cf_utils.methods import Moments


def watching(until):
    """The observers that show how far a run up to task ``until`` has come: one, or none.

    A bar in an open notebook and on a terminal, elsewhere nothing. The environment variable
    CF_PROGRESS says otherwise: "bar", "none", or a file to which a line is added after each task.
    """
    terminal = sys.stderr is not None and sys.stderr.isatty()
    wanted = os.environ.get("CF_PROGRESS") or ("bar" if _in_a_kernel() or terminal else "none")
    return {"bar": [Bar(until)], "none": []}.get(wanted, [Lines(wanted)])


def _in_a_kernel():
    """Whether this process serves a notebook, which one that merely imported ipykernel does not."""
    served = sys.modules.get("ipykernel.kernelapp")
    return served is not None and served.IPKernelApp.initialized()


class Bar(Moments):
    """A bar over all steps of the tasks up to ``until``:
    the task, the accuracy of the last epoch, the time left.

    It goes away at the end, so that nothing of it stays in a notebook that is saved.
    """

    def __init__(self, until):
        self.until, self.bar = until, None

    def before_task(self, loop):
        if self.bar is None:
            tasks = loop.stream.tasks[loop.t : self.until]
            steps = sum(loop.count_steps(len(task.y_train)) for task in tasks)
            self.bar = tqdm(total=loop.config.epochs * steps, unit="step", leave=False)
        self.bar.set_description(f"task {loop.t + 1} of {len(loop.stream)}")

    def after_step(self, loop):
        self.bar.update()

    def after_epoch(self, loop):
        self.bar.set_postfix_str(f"{_percent(loop)} right in training")

    def close(self):
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()


class Lines(Moments):
    """Adds a line after each task to a file: in batch runs, the log beside the notebook."""

    def __init__(self, file):
        self.file = file

    def before_task(self, loop):
        self.start = time.perf_counter()

    def after_task(self, loop):
        seconds = time.perf_counter() - self.start
        right = f", {_percent(loop)} right in training" if loop.history else ""
        task = f"task {loop.t + 1} of {len(loop.stream)}"
        text = f"{task}: {len(loop.model)} networks in {seconds:.1f} s{right}"
        with open(self.file, "a", encoding="utf-8") as log:
            print(text, file=log)

    def close(self):
        """Nothing is left open."""


def _percent(loop):
    return f"{100 * loop.history[-1]['accuracy'].nanmean():.0f} %"
