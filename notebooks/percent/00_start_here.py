# %% [markdown]
# # 00 · Start here
#
# **What is catastrophic forgetting, and what does it take to see it?**
#
# A neural network learns the digits 0 to 4, then 5 to 9, and no longer knows the first five. It takes fifteen lines of code and a few seconds.
# Storing 200 old digits and training on them again keeps 87%<!--=00 old/class, replay as .0%--> of the first five right.
#
# *Numbers in the text are those of the full run: 5,000 digits of MNIST that come along, ten seeds, half a minute. As it stands, the notebook takes half a minute.*
#
# Next: [00b · Playground](00b_playground.ipynb)

# %%
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import Image, Markdown
from matplotlib.animation import FuncAnimation, PillowWriter
from torch import nn
from torch.nn import functional as F

from cf_utils import claims, data, methods, models, plots, results, streams, training

plots.style()

# %% tags=["parameters"]
dataset = "mnist-5k"  # 5,000 digits, no download; "mnist": all 70,000
epochs = 3  # passes over each task
seeds = 10  # networks of each method
memory = 200  # old digits that replay stores
strength = 1000.0  # λ of elastic weight consolidation
out = ""  # folder for figures and results; empty: out/00_start_here

# %%
folder = results.output_folder(out, "00_start_here")
digits = data.load(dataset)
x, y = digits.scale(digits.x_train).flatten(1), digits.y_train
x_test, y_test = digits.scale(digits.x_test).flatten(1), digits.y_test
fig, axes = plt.subplots(1, 10, figsize=(10, 1.4))
for digit, ax in enumerate(axes):
    ax.imshow(digits.x_test[y_test == digit][0, 0], cmap="gray")
    ax.set(xticks=[], yticks=[], title="task A" if digit == 2 else "task B" if digit == 7 else "")
    ax.title.set_color(plots.COLORS[digit // 5])
note = "One digit of each class. First the network is trained on the left five, then on the right five."
results.save_figure(fig, folder, "tasks", pd.DataFrame({"digit": range(10)}), note)

# %% [markdown]
# ## Fifteen lines
#
# No library but PyTorch. A small network learns task A, and then task B. After every step we ask how many *test* digits of each task it gets right.

# %%
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
curve = []  # after each step: accuracy on task A, on task B
for task in (y < 5, y >= 5):
    for _ in range(epochs):
        order = torch.randperm(int(task.sum()))
        for batch in task.nonzero()[order, 0].split(64):
            loss = F.cross_entropy(model(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                right = (model(x_test).argmax(1) == y_test).float()
            curve.append([right[y_test < 5].mean().item(), right[y_test >= 5].mean().item()])

# %%
curve = 100 * np.array(curve)
half = len(curve) // 2


def draw(ax, until):
    """Both accuracies up to a step; returns the lines."""
    ax.axvspan(0, half, color=plots.COLORS[0], alpha=0.08, lw=0)
    ax.axvspan(half, len(curve), color=plots.COLORS[1], alpha=0.08, lw=0)
    lines = [ax.plot(curve[:until, t], color=plots.COLORS[t], lw=2)[0] for t in (0, 1)]
    ax.set(xlim=(0, len(curve)), ylim=(-3, 103), xlabel="steps of 64 digits", ylabel="right (%)")
    ax.text(half / 2, 50, "trained on 0 to 4", ha="center", color=plots.COLORS[0])
    ax.text(1.5 * half, 50, "trained on 5 to 9", ha="center", color=plots.COLORS[1])
    return lines


fig, ax = plt.subplots(figsize=(7, 3.2))
lines = draw(ax, len(curve))
ax.text(0.62 * len(curve), 6, "test digits 0 to 4", color=plots.COLORS[0])
ax.text(0.7 * len(curve), 72, "test digits 5 to 9", color=plots.COLORS[1])
note = f"The blue line falls as soon as task B begins, though nobody asked for that. {digits.name}, one network."
table = pd.DataFrame(curve, columns=["task A (%)", "task B (%)"])
results.save_figure(fig, folder, "falls", table, note)

# %% [markdown]
# The same as it happens:

# %%
fig, ax = plt.subplots(figsize=(5.6, 2.8))
lines = draw(ax, 0)
steps = np.unique(np.linspace(1, len(curve), 45).astype(int))


def frame(step):
    for t, line in enumerate(lines):
        line.set_data(range(step), curve[:step, t])


film = FuncAnimation(fig, frame, [*steps, *[steps[-1]] * 12])
film.save(folder / "falls.gif", PillowWriter(fps=12), dpi=80)
plt.close(fig)
Image(filename=folder / "falls.gif")

# %% [markdown]
# Why? Every weight is used for old digits and for new ones. The loss on new digits is all that training sees, so it moves the weights
# wherever these digits want them. The old digits' answers go with them.
#
# ## It depends on what one asks
#
# Is everything gone? Ask the network in three ways about a digit of task A. The field calls these ways *scenarios*
# (van de Ven & Tolias 2019):
#
# | scenario | the question | outputs that count |
# |---|---|---|
# | **class-incremental** | which of the ten digits is it? | all ten |
# | **task-incremental** | it is of task A: which of the five? | the task's five |
# | **domain-incremental** | whichever the task: which place has it, first to fifth? | 0 or 5, 1 or 6, … |

# %%
with torch.no_grad():
    p = model(x_test).softmax(1)
asked = {
    "class: which of ten?": p,
    "task: which of 0 to 4?": p[:, :5] / p[:, :5].sum(1, keepdim=True),
    "domain: which place?": p[:, :5] + p[:, 5:],
}
old = (y_test < 5).nonzero()[:, 0]
shown = old[(p[old].argmax(1) != y_test[old]) & (p[old, :5].argmax(1) == y_test[old])][3]
fig, axes = plt.subplots(1, 4, figsize=(11, 2.6), width_ratios=(0.8, 1.6, 1, 1))
axes[0].imshow(digits.x_test[shown, 0], cmap="gray")
axes[0].set(xticks=[], yticks=[], title=f"a {y_test[shown]}, of task A")
rows = []
for ax, (question, answer) in zip(axes[1:], asked.items(), strict=True):
    names = range(10) if len(answer[0]) == 10 else range(5)
    labels = [f"{i}/{i + 5}" if "place" in question else f"{i}" for i in names]
    truth = int(y_test[shown])
    ax.bar(labels, answer[shown], color=[plots.COLORS[0] if i == truth else "0.7" for i in names])
    share = 100 * (answer[old].argmax(1) == y_test[old]).double().mean().item()
    ax.set(title=question, ylim=(0, 1.02), xlabel=f"right for {share:.0f} % of task A")
    ax.tick_params(axis="x", labelsize="small")
    rows.append(
        {"question": question, "right (%)": share}
        | dict(zip(labels, answer[shown].tolist(), strict=True))
    )
axes[1].set_ylabel("what the network believes")
note = f"The same network and the same digit; blue: the right answer. {digits.name}, one network, after task B."
results.save_figure(fig, folder, "scenarios", pd.DataFrame(rows), note)

# %% [markdown]
# Among all ten outputs it names new digits only. Told that the digit is an old one, it does better, though far from well.
#
# The question can also be asked *while training*. In the task-incremental scenario only the current task's outputs take part in the
# loss. In the domain-incremental one there are only five outputs. That changes what is forgotten.
#
# ## Ten seeds, three methods, three scenarios
#
# One run proves nothing. `cf_utils` trains ten networks side by side. We compare doing nothing (*finetuning*) with two classic remedies:
#
# - **replay** stores 200 old digits and joins some to every batch;
# - **elastic weight consolidation** (EWC) ties each weight to its old value, by a spring as stiff as the weight was important.
#
# **Prediction.** Told the task, all keep much, and EWC most of what is there to keep. Among all ten outputs replay alone keeps anything.

# %%
config = training.TrainConfig(epochs, batch_size=64, lr=1e-3, optimizer="adam", weight_decay=0.0)
arms = {
    "finetuning": methods.Finetune(),
    "EWC": methods.EWC(strength),
    "replay": methods.Replay(memory),
}
runs = {}
for scenario in ("task", "domain", "class"):
    stream = streams.split(digits, [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]], scenario)
    for name, method in arms.items():
        build = partial(models.mlp, (784, 120, 84, stream.outputs))
        runs[scenario, name] = training.run_stream(build, method, stream, config, range(seeds))

# %%
columns = {
    f"{scenario}-incremental:\n0 to 4, after both (%)": {
        name: 100 * runs[scenario, name].accuracy[:, -1, 0] for name in arms
    }
    for scenario in ("task", "domain", "class")
}
fig, axes, table = plots.dot_columns(columns)
for ax in axes:
    ax.set_xlim(-3, 103)
note = f"From left to right the question gets harder. {digits.name}, {seeds} seeds, test digits of task A; 95 % intervals."
results.save_figure(fig, folder, "methods", table, note)

# %% [markdown]
# Told the task, finetuning keeps 87%<!--=00 old/task, finetuning as .0%--> of task A. Among all ten outputs it keeps 0%<!--=00 old/class, finetuning as .0%-->, EWC 5%<!--=00 old/class, EWC as .0%-->, and replay 87%<!--=00 old/class, replay as .0%-->.
#
# So "does this method prevent forgetting?" has no answer until the scenario is named.
#
# ## Which question leads where
#
# | you ask | notebook |
# |---|---|
# | What exactly happens, step by step? | [01](01_sequential_forgetting.ipynb) |
# | Why do units fall silent? | [02](02_sparsity_and_bias.ipynb) |
# | Is the knowledge gone, or only hidden? | [03a](03a_linear_probes.ipynb), [03b](03b_head_or_body.ipynb) |
# | Can gradients avoid old tasks? | [04a](04a_orthogonal_gradients.ipynb), [04b](04b_projection_measured.ipynb) |
# | Can weights be held? | [05a](05a_elastic_weights.ipynb), [05b](05b_four_fishers.ipynb), [05c](05c_fisher_of_a_cnn.ipynb), [05d](05d_where_springs_fail.ipynb), [06a](06a_memory_aware_synapses.ipynb), [06b](06b_synapses_on_images.ipynb) |
# | Can old answers be held instead? | [07a](07a_learning_without_forgetting.ipynb), [07b](07b_distillation.ipynb) |
# | Do pictures of what a network looks at help? | [08](08_saliency_freezing.ipynb), [08b](08b_filter_pictures.ipynb), [09b](09b_saliency_drift.ipynb) |
# | What makes replay better? | [09](09_preserving_losses.ipynb), [09c](09c_embeddings_and_sweeps.ipynb), [10](10_long_short_weights.ipynb) |
#
# Each notebook ends with the claims that it tested, and what became of them.
#
# ## Bring your own
#
# A method is a class with the moments that it needs. This one learns new tasks at a tenth of the speed:


# %%
class Gently(methods.Method):
    """From the second task on, a tenth of every gradient's step."""

    def before_task(self, loop):
        loop.set_lr(loop.config.lr / (10 if loop.t else 1))


own = training.run_stream(models.mlp, Gently(), stream, config, range(seeds))
share = 100 * own.accuracy[:, -1]
print(f"old {results.plus_minus(share[:, 0])} %, new {results.plus_minus(share[:, 1])} %")

# %% [markdown]
# It keeps more and learns less: a trade, no remedy.
#
# - **Your method** in every comparison: one file in `cf_utils/methods/`; CONTRIBUTING shows how.
# - **Your network**: any function that returns a `torch.nn.Module`, in place of `models.mlp`.
# - **Your images**: `data.load("folder:PATH")`, with one folder a class in `PATH/train` and `PATH/test`.
#
# ## What became of the claims

# %%
numbers = {f"old/{', '.join(key)}": run.accuracy[:, -1, 0] for key, run in runs.items()}
numbers |= {f"old before/{', '.join(key)}": run.accuracy[:, 1, 0] for key, run in runs.items()}
numbers |= {f"new/{', '.join(key)}": run.accuracy[:, -1, 1] for key, run in runs.items()}
verdicts = claims.read_claims("00", numbers, globals())
Markdown(claims.claims_table(verdicts))

# %%
settings = {key: globals()[key] for key in ("epochs", "memory", "strength")}
_ = results.save_run(folder, "00", digits.name, settings, range(seeds), numbers, verdicts)

# %% [markdown]
# ## Exercises
#
# **1. How many stored digits are enough?** The cell stores 20 in place of 200. Try 5, 50 and 1,000.
#
# *You should see* that 20 stored digits already keep half of task A, and 200 most of it.
#
# <details><summary>Solution</summary>
#
# `for memory in (5, 20, 50, 200, 1000): ...` around the two lines. Twenty digits of five classes are four of each. They could hardly teach
# what a 3 is, but they remind the network that it knew.
#
# </details>

# %%
few = training.run_stream(models.mlp, methods.Replay(20), stream, config, range(seeds))
print(f"20 stored digits: old {results.plus_minus(100 * few.accuracy[:, -1, 0])} %")

# %% [markdown]
# **2. Does the order matter?** Swap the two tasks: 5 to 9 first. Which digits are forgotten now?
#
# *You should see* that the first task is forgotten whichever it is.
#
# <details><summary>Solution</summary>
#
# `streams.split(digits, [[5, 6, 7, 8, 9], [0, 1, 2, 3, 4]], "class")`. Nothing about 0 to 4 is special; what counts is what was trained last.
#
# </details>

# %%
swapped = streams.split(digits, [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]], "class")
run = training.run_stream(models.mlp, methods.Finetune(), swapped, config, range(seeds))
print(
    "first task, second task:", [results.plus_minus(100 * run.accuracy[:, -1, t]) for t in (0, 1)]
)

# %% [markdown]
# ## Takeaways
#
# - **Training on B alone undoes A**, within a few dozen steps.
# - **What is lost depends on the question**: little if the task is told, all of it among ten outputs.
# - **A few stored examples go a long way**; holding weights does not, where old and new classes compete.
# - *Caveats.* Two tasks, small digits, one small network, one λ for EWC. The notebooks that follow vary each of these.
#
# **References.** McCloskey & Cohen 1989, *Psychology of Learning and Motivation* 24. van de Ven & Tolias 2019, arXiv:1904.07734. Kirkpatrick et al. 2017, arXiv:1612.00796. Chaudhry et al. 2019, arXiv:1902.10486.
