# %% [markdown]
# # 02 · Sparsity and bias
#
# **Why do the hidden units of a network fall silent as it learns task after task, and do its biases switch them off?**
#
# **Answer.** *Sparsity*, the share of zeros among the hidden activations, grows from 48%<!--=02 sparsity task 1/plain as .0%--> to 89%<!--=02 sparsity task 5/plain as .0%--> over five tasks at a
# learning rate of 0.001. At a fiftieth of that rate it does not. The biases fall, but do not cause it: each layer's
# weights silence that layer's units. Batch-norm prevents the silence and forgets all the same.
#
# *Numbers in the text are those of the full run: all of MNIST, ten seeds, half an hour on one core. At quick settings the notebook takes about a minute on two cores.*
#
# Before: [01 · Sequential forgetting on Split-MNIST](01_sequential_forgetting.ipynb) · Next: [03a · Batch-norm, dropout and linear probes](03a_linear_probes.ipynb)

# %%
import copy
import inspect
from dataclasses import replace
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown

from cf_utils import (
    claims,
    data,
    methods,
    metrics,
    models,
    observers,
    plots,
    probes,
    results,
    streams,
    training,
)

plots.style()

# %% tags=["parameters"]
dataset = "mnist-5k"  # 5,000 digits, no download; "mnist": all 70,000
validation = 1000  # training digits held out to validate on
seeds = 5  # replicas, trained side by side
epochs = 5  # passes over each task
batch_size = 64
lr = 1e-3
rates = (2e-5, 1e-4, 3e-4)  # other learning rates, to compare with
out = ""  # folder for figures and results; empty: out/02_sparsity_and_bias

# %%
folder = results.output_folder(out, "02_sparsity_and_bias")
images = data.load(dataset, validation=validation)
stream = streams.split(images, [[1, 2], [3, 4], [5, 6], [7, 8], [9, 0]], scenario="class")
joint = streams.joint(stream)
config = training.TrainConfig(
    epochs=epochs, batch_size=batch_size, lr=lr, optimizer="adamw", weight_decay=0.01
)
caption = (
    f"{images.name}, {len(images.y_train):,} training digits, {seeds} seeds, {epochs} epochs a task"
)
names = [task.name for task in stream.tasks]
# Ten test digits of each class.
by_class = torch.cat([torch.nonzero(images.y_test == c)[:10, 0] for c in range(10)])
x_test = images.scale(images.x_test).flatten(1)
looks, runs, gradients = {}, {}, {}


def look(loop):
    _, hidden = training.activations(loop.model, images, images.x_test[by_class])
    weights = {name: weight.detach().cpu().clone() for name, weight in loop.model.weights.items()}
    own = {"shown": torch.cat([h[0] for h in hidden.values()], 1).numpy(), "weights": weights}
    own["learned"] = training.accuracy_on(loop.model, images, loop.task.x_test, loop.task.y_test)
    own |= probes.bias_statistics(loop.model)
    return probes.standing(loop) | probes.activity(loop.model, images, images.x_test) | own


# %%
def train(name, build=models.mlp, method=None, stream=stream, config=config, extra=()):
    """Train replicas, look at them after each task; keeps the run and the looks by name."""
    after = observers.Looks(look)
    method = method or methods.Finetune()
    runs[name] = training.run_stream(
        build, method, stream, config, range(seeds), observers=[after, *extra]
    )
    looks[name] = after.found
    if name not in ("plain", "joint, λ = 0"):  # the only ones whose weights are looked at again
        for found in after.found:
            del found["weights"]


class Silence(observers.Observer):
    """Follows sparsity and accuracy in the second task: each of its first 60 steps, and others."""

    def before_task(self, loop):
        self.after_step(loop)

    def after_step(self, loop):
        if loop.t != 1 or (loop.step > 60 and loop.step % 25):
            return
        found = {"sparsity": probes.activity(loop.model, images, images.x_test[by_class])}
        found["sparsity"] = found["sparsity"]["sparsity"].tolist()
        for key, task in zip(("old", "new"), loop.stream.tasks, strict=False):
            right = training.accuracy_on(loop.model, images, task.x_test[:200], task.y_test[:200])
            found[key] = right.tolist()
        self.records.append({"task": loop.t, "step": loop.step} | found)


# %% [markdown]
# ## One unit on its way to silence
#
# A hidden unit adds up its weighted inputs and a bias. It passes on the sum if that is above zero:
# $h = \max(0, w \cdot x + b)$. We follow one first-layer unit of notebook 01's network through the five tasks.

# %%
summed, followed = observers.Gradients(), {lr: Silence()}
train("plain", extra=[summed, followed[lr]])
gradients["plain"] = summed.totals

# %%
first_layer = [(a["weights"]["fc1.weight"][0], a["weights"]["fc1.bias"][0]) for a in looks["plain"]]
inputs = [x_test @ weight.T + bias for weight, bias in first_layer]
speaks = torch.stack([(h > 0).double().mean(0) for h in inputs])  # [tasks, units]
# Of the units that speak less from task to task, and never in the end, the one that spoke most.
rises = speaks.diff(dim=0).clamp(min=0).sum(0)
unit = int((speaks[:-1].sum(0) - 10 * (speaks[-1] + rises)).argmax())
pictures = [weight[unit].view(28, 28).numpy() for weight, _ in first_layer]
values = [h[:, unit].numpy() for h in inputs]
top, low, high = np.quantile(np.abs(pictures), 0.995), np.min(values), np.max(values)
width = (high - low) / 60
edges = width * np.arange(np.floor(low / width), np.ceil(high / width) + 1)

# %%
fig, axes = plt.subplots(2, 5, figsize=(11.5, 4.6), height_ratios=(1.25, 1), sharey="row")
tables = []
for t, (above, below) in enumerate(axes.T):
    image = plots.heatmap(
        above, pictures[t], f"after {names[t]}", cmap="RdBu_r", vmin=-top, vmax=top
    )
    above.set(xticks=[], yticks=[], aspect="equal")
    share = 100 * np.histogram(values[t], edges)[0] / len(x_test)
    for side, color in ((edges[:-1] < -width / 2, "0.7"), (edges[:-1] >= -width / 2, "C1")):
        below.stairs(np.where(side, share, 0), edges, fill=True, color=color)
    spoken = 100 * float(speaks[t, unit])
    below.set_title(f"speaks for {spoken:.0f} % of digits", color="C1", fontsize="small")
    tables.append(pd.DataFrame({"after": names[t], "from": edges[:-1], "percent": share}))
    tables[-1] = tables[-1].assign(speaks=spoken)
fig.supxlabel("sum of the unit's inputs, passed on above zero (orange)", fontsize="medium")
axes[0, 0].set_ylabel("its 784 weights")
axes[1, 0].set_ylabel("share of digits (%)")
fig.colorbar(image, ax=list(axes[0]), label="weight", fraction=0.02, pad=0.01)
note = (
    "Where the orange shrinks (below), what shape have the weights taken (above)?\n"
    f"{caption}. Plain network, seed 0, unit {unit} of layer 1; {len(x_test):,} test digits."
)
results.save_figure(fig, folder, "unit", pd.concat(tables), note)

# %% [markdown]
# **The third task silences this unit.** Red weights raise its sum where there is ink, blue ones lower it. The 5s and
# 6s leave their shape in blue, and the sum falls below zero for every digit. The unit is *dead*: it passes on zero and
# gets no gradient.
#
# The notes that we start from saw the mean bias fall as sparsity grew. On a chatbot's word they conjectured that
# negative biases *cause* the silence, to shield what was learned. So we will intervene.
#
# ## Does sparsity come by itself?
#
# **Prediction (notes).** Without any penalty sparsity grows from 50 % after task 1 to 90 % after task 5. Batch-norm
# stops that growth. A penalty on activations (*L1*) makes the network sparse from the first task on, and dropout
# changes nothing.

# %%
batch_norm = partial(models.mlp, norm="batch")
kinds = {
    "plain": {},
    "L1 = 1": {"method": methods.ActivationL1(1.0)},
    "batch-norm": {"build": batch_norm},
    "batch-norm + L1 = 1": {"build": batch_norm, "method": methods.ActivationL1(1.0)},
}
for name in list(kinds)[1:]:
    summed = observers.Gradients()
    train(name, extra=[summed], **kinds[name])
    gradients[name] = summed.totals
train("dropout 0.2", partial(models.mlp, dropout=0.2))

# %%
panel = [*kinds, "dropout 0.2"]
fig, axes = plt.subplots(1, 2, figsize=(11.5, 3.4))
tables = []
for ax, key, label in zip(
    axes, ("sparsity", "dead"), ("sparsity (%)", "dead units (%)"), strict=True
):
    for i, name in enumerate(panel):
        of = 100 * np.stack([after[key] for after in looks[name]], 1)
        tables.append(plots.band(ax, names, of, name, index=i).assign(measure=label))
    ax.set(xlabel="after task", ylabel=label, ylim=(-3, 103))
    plots.end_labels(ax, gap=0.075)
table = pd.concat(tables).rename(columns={"x": "after", "label": "network"})
note = (
    "Left: does sparsity grow without any penalty (plain, blue)? Right: do whole units die?\n"
    f"{caption}. {len(images.y_test):,} test digits of all "
    "classes; bands: 95 %. Dead: silent for every test digit."
)
results.save_figure(fig, folder, "sparsity", table, note)

# %% [markdown]
# **Yes, at this learning rate.** The plain network becomes nearly as sparse as the penalty makes it, mostly with the
# second task. Dropout changes little.
#
# **Batch-norm all but prevents it.** Sparsity stays near one half, and no unit dies. With the penalty too, units fall silent
# and some die.
#
# **Sparse or not, all forget**: each ends at about 20 % of all digits.
#
# ## Does it depend on the learning rate, and when does it happen?
#
# When a task begins, old answers to new digits are corrected hard. With large steps that may push whole units below
# zero.
#
# **Prediction.** If so, sparsity hardly grows at a small rate, and less at a tenth of the usual rate than at the usual
# one. And more than half of the second task's growth comes in its first 50 steps, while the old answers go.

# %%
rate_of = dict(sorted(({rate: f"lr {rate:g}" for rate in rates} | {lr: "plain"}).items()))
slow = min(rate_of, key=lambda rate: abs(rate - lr / 10))
for rate in rates:
    if rate == slow:
        followed[rate] = Silence()
    extra = [followed[rate]] if rate == slow else []
    train(rate_of[rate], config=replace(config, lr=rate), extra=extra)


# %%
def over(key, arms, tasks):
    """``[seeds, arms]`` in percent: mean over these tasks of what was seen after each of them."""
    means = [np.mean([np.asarray(looks[arm][t][key]) for t in tasks], 0) for arm in arms]
    return 100 * np.stack(means, 1)


arms, last = list(rate_of.values()), len(names) - 1
lines = {
    "sparsity (%)": {
        "after task 1": over("sparsity", arms, [0]),
        "after task 5": over("sparsity", arms, [last]),
    },
    "accuracy (%)": {
        "each task, right after it": over("learned", arms, range(5)),
        "all ten digits, at the end": over("accuracy", arms, [last]),
    },
}

# %%
fig, axes = plt.subplots(1, 2, figsize=(11.5, 3.3))
tables = []
for i, (ax, (label, groups)) in enumerate(zip(axes, lines.items(), strict=True)):
    for j, (line, of) in enumerate(groups.items()):
        drawn = plots.band(ax, list(rate_of), of, line, index=2 * i + j)
        tables.append(drawn.assign(measure=label))
    ax.set(xscale="log", ylim=(-3, 103), xlabel="learning rate (AdamW)", ylabel=label)
    plots.end_labels(ax)
note = (
    "Left: at which rates does orange lie above blue? Right: is less forgotten at the small ones?\n"
    f"{caption}. Plain network; bands: 95 %."
)
results.save_figure(fig, folder, "rates", pd.concat(tables).rename(columns={"x": "lr"}), note)

# %%
fig, axes = plt.subplots(1, 2, figsize=(11.5, 3.3), sharey=True)
tables = []
lines = {"sparsity": "sparsity", "old": f"{names[0]} right", "new": f"{names[1]} right"}
for ax, rate in zip(axes, (slow, lr), strict=True):
    for i, (key, label) in enumerate(lines.items()):
        steps, of = followed[rate].of(key, task=1)
        drawn = plots.band(ax, steps + 1, 100 * of, label, index=i, marker=False)
        tables.append(drawn.assign(lr=rate))
    ax.set(xscale="log", title=f"learning rate {rate:g}", ylim=(-3, 103))
    ax.set_xlabel(f"step of training {names[1]} + 1")
    plots.end_labels(ax, gap=0.08)
axes[0].set_ylabel("share (%)")
note = (
    "Does sparsity (blue) change in the same steps as the old (orange) and new answers (green)?\n"
    f"{caption}. Sparsity on 100 test digits, accuracy on 200 of each task; bands: 95 %."
)
results.save_figure(fig, folder, "when", pd.concat(tables).rename(columns={"x": "step + 1"}), note)


# %% [markdown]
# **At a small rate it does not come by itself.** At 2e-5 sparsity goes from 31%<!--=02 sparsity task 1/lr 2e-05 as .0%--> to 29%<!--=02 sparsity task 5/lr 2e-05 as .0%--> over the tasks. The larger the
# rate, the sparser the network ends. At every rate it learns each task, and forgets.
#
# **It comes in the first steps of a task.** The first 50 bring 95%<!--=02 early growth/plain as .0%--> of the second task's growth, as the answers change
# hands. That is a coincidence in time, not yet a cause.
#
# ## Does weight decay help?
#
# **Prediction (notes).** It does not arrest the growth, and leaves "very few features with high activation values". As
# in the notes, a task stops once 98 % of its training digits are right; two runs train all epochs.

# %%
train("weight decay 5", config=replace(config, weight_decay=5.0))
decay_of = {"stopped at 98 %": {}}
decay_of[f"{epochs} epochs a task"] = {"decay 0.01": "plain", "decay 5": "weight decay 5"}
for decay in (0.01, 0.1, 1.0, 5.0):
    arm = f"decay {decay:g}, stopped at 98 %"
    decay_of["stopped at 98 %"][f"decay {decay:g}"] = arm
    train(arm, config=replace(config, weight_decay=decay, stop_at=0.98))

# %%
measures = {
    "sparsity after\ntask 5 (%)": lambda arm: 100 * looks[arm][last]["sparsity"],
    "dead units after\ntask 5 (%)": lambda arm: 100 * looks[arm][last]["dead"],
    "mean active feature\nafter task 5": lambda arm: looks[arm][last]["feature"],
    "each task, right\nafter it (%)": lambda arm: over("learned", [arm], range(5))[:, 0],
}
columns = {
    label: {way: {row: of(arm) for row, arm in rows.items()} for way, rows in decay_of.items()}
    for label, of in measures.items()
}
fig, axes, table = plots.arm_columns(columns)
for ax in (axes[0], axes[1], axes[3]):
    ax.set_xlim(0, 103)
axes[2].set_xlim(0, None)
note = (
    "Decay grows from top to bottom: does sparsity (left) fall, do features (third) get larger?\n"
    f"{caption}. Plain network; the usual decay is 0.01. 95 % intervals."
)
results.save_figure(fig, folder, "decay", table, note)

# %% [markdown]
# **It does not arrest the growth, stopped or not.** At the largest decay our ten runs end at 76% ± 6%<!--=02 sparsity task 5/decay 5, stopped at 98 % as ±.0%-->, the notes' one
# run at 92 %: undecided.
#
# **The features that are left are not high.** The mean active one is 3.2 ± 0.6<!--=02 feature task 5/decay 5, stopped at 98 % as ±.1f--> with the largest decay and 7.2 ± 1.5<!--=02 feature task 5/decay 0.01, stopped at 98 % as ±.1f-->
# with the usual one. (The notes may mean the largest.)
#
# ## Where do features and gradients go, task by task?
#
# We measure how hard a weight is *pulled* by its sum of |gradient| over a task.
#
# **Prediction (notes).** Without batch-norm most units fall silent by task 3. Under L1 the features that are left are
# about a tenth as large. The head, the last layer, is pulled far harder in the plain network (40) than under
# batch-norm (5).


# %%
def matrix_grid(grid, titles, ylabel, xlabel, colorbar, units=False):
    """A row of heatmaps for each network, one scale a row up to its 99.5 % quantile.

    ``units``: of digits by units.
    """
    size = (1.2 + 2.2 * len(titles), 0.7 + 1.55 * len(grid))
    fig, axes = plt.subplots(
        len(grid), len(titles), figsize=size, sharex=True, sharey=True, squeeze=False
    )
    rows = []
    for row, (network, matrices) in zip(axes, grid.items(), strict=True):
        top = float(np.quantile(np.stack(matrices), 0.995))
        for ax, matrix, title in zip(row, matrices, titles, strict=True):
            image = plots.heatmap(ax, matrix, title if ax in axes[0] else "", vmin=0, vmax=top)
            rows.append(
                {"network": network, "panel": title, "mean": matrix.mean(), "max": matrix.max()}
            )
            if units:
                ax.axvline(119.5, color="white", lw=1)  # between the layers
        row[0].set_ylabel(f"{network}\n{ylabel}")
        fig.colorbar(image, ax=list(row), label=colorbar, extend="max", fraction=0.02, pad=0.01)
    axes[0, 0].yaxis.set_major_locator(plt.MaxNLocator(4, integer=True))
    if units:
        axes[0, 0].set_yticks([10 * c + 4.5 for c in range(10)], range(10), fontsize="x-small")
    fig.supxlabel(xlabel, fontsize="medium")
    return fig, pd.DataFrame(rows)


# %%
units = "hidden units: layer 1 (120) | layer 2 (84)"
grid = {name: [after["shown"] for after in looks[name]] for name in kinds}
fig, table = matrix_grid(
    grid, [f"after {name}" for name in names], "digit", units, "activation", units=True
)
note = (
    "In each row from left to right: do whole columns, that is units, go dark for every digit?\n"
    f"{caption}. Seed 0, ten test digits of each class (rows); a colour scale for each row."
)
results.save_figure(fig, folder, "features", table, note)

# %%
shown, rows = ["plain", "batch-norm"], []
fig = plt.figure(figsize=(13, 4.4))
for part, network in zip(fig.subfigures(1, 2), shown, strict=True):
    pulled = torch.stack([total["fc1.weight"][0] for total in gradients[network]])
    order = pulled.sum((0, 2)).argsort(descending=True)
    picked = {"hardest": order[0], "middle": order[len(order) // 2], "least": order[-1]}
    top = float(pulled[:, list(picked.values())].quantile(0.995))
    axes = part.subplots(3, 5)
    for row, (which, one) in zip(axes, picked.items(), strict=True):
        for ax, name, picture in zip(row, names, pulled[:, one], strict=True):
            title = f"during {name}" if ax in axes[0] else ""
            image = plots.heatmap(ax, picture.view(28, 28), title, vmin=0, vmax=top)
            ax.set(xticks=[], yticks=[], aspect="equal")
            rows.append({"network": network, "pulled": which, "unit": int(one), "during": name})
            rows[-1] |= {"mean": float(picture.mean()), "max": float(picture.max())}
        row[0].set_ylabel(which)
    part.colorbar(image, ax=axes, label="Σ |gradient|", extend="max", fraction=0.03, pad=0.01)
    part.suptitle(network)
note = (
    "Lower two rows: which units are still pulled in later tasks, plain (left) or batch-norm's?\n"
    f"{caption}. Seed 0: the pixels' weights of the unit of layer 1 pulled hardest, of the one "
    "in the middle and of the one pulled least over all tasks."
)
results.save_figure(fig, folder, "gradients_fc1", pd.DataFrame(rows), note)

# %%
layers = {
    "fc1.weight": ("unit of layer 1", "from pixel"),
    "fc2.weight": ("unit of layer 2", "from unit of layer 1"),
    "fc3.weight": ("output", "from unit of layer 2"),
}
magnitudes = {
    "mean active feature after task 5": {name: looks[name][4]["feature"] for name in kinds}
}
for layer, t in [(layer, t) for layer in layers for t in (0, 1, 2, 4)]:
    at = f"Σ |gradient|, {layer[:3]}, task {t + 1}"
    totals = {name: gradients[name][t][layer].flatten(1) for name in kinds}
    magnitudes[f"largest {at}"] = {name: total.amax(1) for name, total in totals.items()}
    magnitudes[f"mean {at}"] = {name: total.mean(1) for name, total in totals.items()}

# %% [markdown]
# **No gradient reaches the weights of a silent unit.** The plain network's middle unit is not pulled after the second
# task. Under batch-norm even the least is pulled in every task.
#
# **Under L1 features are smaller**: 1.1 ± 0.3<!--=02 mean active feature after task 5/L1 = 1 as ±.1f--> against the plain network's 6.9 ± 0.7<!--=02 mean active feature after task 5/plain as ±.1f-->. Whether that is the notes' tenth,
# we cannot tell.
#
# **With batch-norm the head is pulled as hard, but evenly.** In the last task its mean entry is about the same. Its
# largest is 98<!--=02 largest Σ |gradient|, fc3, task 5/plain as .0f--> without and 15<!--=02 largest Σ |gradient|, fc3, task 5/batch-norm as .0f--> with batch-norm.
#
# ## What does forced sparsity cost?
#
# $$L = L_\text{task} + \lambda \big(\overline{|h_1|} + \overline{|h_2|}\big)$$
#
# The method is a penalty on each hidden layer's mean activation:

# %%
Markdown(f"```python\n{inspect.getsource(methods.ActivationL1)}```")

# %% [markdown]
# A check: the penalty of all-zero activations is zero, and it is linear in the activations.

# %%
for value in (0.0, 1.0, 3.0):
    batch = methods.Batch(None, None, 0, hidden={"act1": torch.full((1, 4, 5), value)})
    print(f"|h| = {value}: penalty {methods.ActivationL1(2.0).penalty(None, batch, None).item()}")

# %% [markdown]
# We force sparsity in joint training, on all ten digits at once. **Prediction (notes).** λ up to
# 0.1 costs nothing and lifts sparsity from 54 % to 83 %; λ = 2 costs seven points.

# %%
strengths = (0.0, 0.001, 0.1, 1.0, 2.0)  # the notes'
forced = {f"λ = {strength:g}": f"joint, λ = {strength:g}" for strength in strengths}
for strength, name in zip(strengths, forced.values(), strict=True):
    train(name, method=methods.ActivationL1(strength), stream=joint)
measures = {"held-out accuracy": "accuracy", "held-out loss (nats)": "nll", "sparsity": "sparsity"}
groups = {
    label: {k: looks[name][0][key] for k, name in forced.items()} for label, key in measures.items()
}
fig, axes, table = plots.dot_columns(groups, "joint training on all ten digits")
note = (
    "Down the rows λ grows: how sparse (right) can the network get at no cost in accuracy (left)?\n"
    f"{caption}; 95 % intervals."
)
results.save_figure(fig, folder, "joint", table, note)

# %% [markdown]
# **Up to λ = 1 our numbers lie within two points of the notes'.** At the largest λ their one run has 91 %. Our ten
# differ widely: 75.9% ± 18.0%<!--=02 accuracy task 1/joint, λ = 2 as ±.1%-->.
#
# ## Do the biases fall?
#
# **Prediction (notes).** The biases' mean and median fall below zero after task 2 and keep falling, to −0.022 and
# −0.023. The weights' distribution hardly changes.

# %%
stages = dict(
    zip(
        ["joint", *(f"after {name}" for name in names)],
        looks["joint, λ = 0"] + looks["plain"],
        strict=True,
    )
)
spread = {}
for stage, a in stages.items():
    weights = [w.flatten(1) for n, w in a["weights"].items() if "weight" in n]
    spread[stage] = torch.cat(weights, 1).std(1)
notes = {"mean": [0.003, 0.005, -0.004, -0.013, -0.017, -0.022]}
notes["median"] = [0.001, 0.008, -0.010, -0.016, -0.018, -0.023]

# %%
fig, axes = plt.subplots(1, 3, figsize=(12.5, 2.9))
axes[1].sharey(axes[0])
shown = {key: np.stack([a[key] for a in stages.values()], 1) for key in notes}
shown["weights"] = np.stack(list(spread.values()), 1)
tables = []
for i, (ax, (key, of)) in enumerate(zip(axes, shown.items(), strict=True)):
    mean, half = metrics.interval(of[:, 0])
    ax.errorbar(["joint"], mean, half, fmt=plots.MARKERS[i], color=plots.COLORS[i], capsize=3)
    tables.append(pd.DataFrame({"x": ["joint"], "mean": mean, "ci95": half}).assign(what=key))
    tables.append(plots.band(ax, names, of[:, 1:], "ours", index=i).assign(what=key))
    if key in notes:
        ax.plot(["joint", *names], notes[key], "x", color="0.2", ms=8, label="the notes")
        ax.axhline(0, color="0.4", ls=":", lw=1)
        ax.legend(loc="lower left")
    ax.set_xlabel("after task")
for ax, label in zip(axes, ("mean bias", "median bias", "deviation of the weights"), strict=True):
    ax.set_ylabel(label)
axes[2].set_ylim(0, 1.1 * shown["weights"].max())
note = (
    "Left, middle: do biases fall as in the notes (crosses)? Right: do weights spread further?\n"
    f"{caption}. Plain network, all its layers; bands: 95 %. joint: trained on all ten digits."
)
results.save_figure(fig, folder, "biases", pd.concat(tables), note)

# %% [markdown]
# **They do, to a mean of -0.039<!--=02 bias mean/after [9, 0] as .3f-->, nearly twice as far as in the notes.** The weights' distribution grows wider by half.
#
# ## Do the biases cause the sparsity?
#
# **Prediction.** If negative biases silenced the units, networks whose hidden biases cannot fall would stay as active
# as after task 1. We train three. Their biases are *frozen* at initial values, held *at zero*, or may move but *never
# below zero*.

# %%
hidden_biases = ("fc1.bias", "fc2.bias")


class Hold(methods.Method):
    """Before each task: hidden biases, times a factor, take no gradient and so no step."""

    def __init__(self, factor):
        self.factor = factor

    def before_task(self, loop):
        for name in hidden_biases:
            loop.model.weights[name].requires_grad_(False).mul_(self.factor)


class KeepPositive(methods.Method):
    """After each step: negative hidden biases go back to zero."""

    def after_step(self, loop):
        for name in hidden_biases:
            loop.model.weights[name].data.clamp_(min=0)


train("biases frozen", method=Hold(1))
train("biases at zero", method=Hold(0))
train("biases never negative", method=KeepPositive())

# %%
cases = ["plain", "biases frozen", "biases at zero", "biases never negative", "batch-norm"]
growth = {name: a[-1]["sparsity"] - a[0]["sparsity"] for name, a in looks.items() if len(a) > 1}
end = {key: {name: looks[name][4][key] for name in cases} for key in ("dead", "task-aware")}
groups = {
    "growth of sparsity from\ntask 1 to 5 (points)": {n: 100 * growth[n] for n in cases},
    "growth, less the plain\nnetwork's (points)": {
        n: 100 * (growth[n] - growth["plain"]) for n in cases
    },
    "dead units after\ntask 5 (%)": {n: 100 * end["dead"][n] for n in cases},
    "old tasks right,\ntold the task (%)": {n: 100 * end["task-aware"][n] for n in cases},
}
fig, axes, table = plots.dot_columns(groups)
plots.mark(axes[1], 0, "")
axes[2].set_xlim(-3, 103)
axes[3].set_xlim(0, 103)
plots.mark(axes[3], 50, "chance", "right")
note = (
    "Does sparsity (left) grow less in any of the three middle rows, where biases cannot fall?\n"
    f"{caption}. Second panel: paired by seed. Old tasks on held-out digits; 95 % intervals."
)
results.save_figure(fig, folder, "interventions", table, note)

# %% [markdown]
# **Whatever is done to the biases, sparsity grows as much as before**, and as many units die. The conjecture fails its
# first test.
#
# ## Which weights do it?
#
# The second test needs no training. In the plain network after task 5, put one part back as it was after task 1. What
# then speaks again was silenced by that part.
#
# Rim pixels are nearly constant inputs. A shift of all their weights would be a bias in disguise, so these are put
# back on their own too.
#
# **Prediction.** On 5,000 digits the first layer's weights undo most of the growth and the second layer's less than
# half. We expect the same here.

# %%
# Pixels that vary by less than 1 % of the grey scale.
constant = images.x_train.flatten(1).float().std(0) < 2.55
pixels_of = {
    "constant pixels": constant,
    "mostly dark pixels": ~constant & (x_test.mean(0) < 0),
    "mostly bright pixels": ~constant & (x_test.mean(0) >= 0),
}


def swapped(*parts, pixels=None, task=1):
    """Sparsity of layer 1, of layer 2 and of both, and accuracy: the plain network of the last
    task with these parameters as they were after ``task``, one value a seed each.

    pixels: of the first layer's weights those on these pixels only.
    """
    model = copy.deepcopy(runs["plain"].model).cpu()
    for name in parts:
        before, now = looks["plain"][task - 1]["weights"][name], model.weights[name].data
        chosen = pixels if pixels is not None and name == "fc1.weight" else slice(None)
        now[..., chosen] = before[..., chosen]
    found = {"accuracy": training.accuracy_on(model, images, images.x_test, images.y_test)}
    _, hidden = training.activations(model, images, images.x_test)
    for i, h in enumerate(hidden.values(), start=1):
        found[f"sparsity of layer {i}"] = (h == 0).double().mean((1, 2))
    return found | {"sparsity": (torch.cat(list(hidden.values()), 2) == 0).double().mean((1, 2))}


# %%
w1, w2, b1, b2 = "fc1.weight", "fc2.weight", "fc1.bias", "fc2.bias"
swaps = {"nothing": swapped(), "both layers' biases": swapped(b1, b2)}
swaps |= {"layer 1's bias": swapped(b1), "layer 2's bias": swapped(b2)}
swaps["biases and constant pixels"] = swapped(b1, b2, w1, pixels=constant)
swaps |= {f"layer 1, {which}": swapped(w1, pixels=chosen) for which, chosen in pixels_of.items()}
swaps |= {"layer 1's weights": swapped(w1), "layer 2's weights": swapped(w2)}
swaps |= {"both layers' weights": swapped(w1, w2), "weights and biases": swapped(w1, w2, b1, b2)}
columns = {
    "sparsity of\nlayer 1 (%)": "sparsity of layer 1",
    "sparsity of\nlayer 2 (%)": "sparsity of layer 2",
    "sparsity of\nboth (%)": "sparsity",
    "accuracy,\nall ten digits (%)": "accuracy",
}
columns = {label: {k: 100 * v[key] for k, v in swaps.items()} for label, key in columns.items()}
fig, axes, table = plots.dot_columns(columns)
for ax in axes:
    ax.set_xlim(0, 103)
axes[0].set_ylabel("put back as after task 1")
note = (
    "Which old part moves sparsity from the first row (nothing put back) to the last (all)?\n"
    f"{caption}. Plain network after task 5, {len(images.y_test):,} test digits; 95 % intervals."
)
results.save_figure(fig, folder, "swaps", table, note)

# %%
shut, open_ = swaps["nothing"]["sparsity"], swaps["weights and biases"]["sparsity"]
put_back = {"biases": "both layers' biases", "weights": "both layers' weights"}
put_back |= {"biases and rim": "biases and constant pixels"}
put_back |= {f"layer {i}": f"layer {i}'s weights" for i in (1, 2)}
put_back |= {name: name for name in swaps if name.startswith("layer 1, ")}
put_back |= {f"layer {i}'s bias": f"layer {i}'s bias" for i in (1, 2)}
undone = {
    f"{what} put back": (shut - swaps[key]["sparsity"]) / (shut - open_)
    for what, key in put_back.items()
}
undone |= {name: 1 - growth[name] / growth["plain"] for name in cases[1:4]}
text = {name: results.plus_minus(100 * share, ".1f", " %") for name, share in undone.items()}
grown = (shut > open_).all() and (np.asarray(growth["plain"]) > 0).all()
Markdown(
    f"Of the growth of sparsity, putting back the biases undoes **{text['biases put back']}**, "
    f"together with the weights of the {int(constant.sum())} constant pixels "
    f"{text['biases and rim put back']}. Putting back layer 1's weights undoes "
    f"**{text['layer 1 put back']}**, layer 2's {text['layer 2 put back']}. "
    f"Frozen biases prevent {text['biases frozen']} of it, biases at zero "
    f"{text['biases at zero']}, biases that are never negative {text['biases never negative']}."
    if grown
    else "Sparsity does not grow in every seed, so that there is nothing to undo."
)

# %% [markdown]
# **Each layer silences itself.** With the first layer's old weights its own sparsity falls from 96%<!--=02 swapped, sparsity of layer 1/nothing as .0%--> back to 47%<!--=02 swapped, sparsity of layer 1/layer 1's weights as .0%-->, and
# the second layer stays silent. With the second layer's old weights it is the other way round.
#
# As predicted, the first layer undoes most of the whole growth, 71%<!--=02 undone/layer 1 put back as .0%-->, and the second, with fewer units, 28%<!--=02 undone/layer 2 put back as .0%-->.
#
# **No group of pixels does it alone.** Old weights on the bright pixels undo 6%<!--=02 undone/layer 1, mostly bright pixels put back as .0%-->, the others' next to nothing.
#
# The third test is arithmetic: how much did each term of a unit's mean sum change? In the second layer the input from
# the first can fall as well.


# %%
def mean_inputs(t):
    """After task t of the plain network: each pixel's w·x, the biases, and what layer 2 hears.

    All are means over units and digits but the last: layer 2's mean weights on each unit of
    layer 1, and that unit's mean activation; ``[seeds, ...]``.
    """
    w = looks["plain"][t]["weights"]
    h = torch.stack(
        [torch.relu(x_test @ a.mT + b).mean(0) for a, b in zip(w[w1], w[b1], strict=True)]
    )
    return w[w1].mean(1) * x_test.mean(0), w[b1].mean(1), w[b2].mean(1), w[w2].mean(1), h


heard = [mean_inputs(t) for t in range(5)]
(pixels0, b10, b20, v0, h0), (pixels4, b14, b24, v4, h4) = heard[0], heard[4]
change = {
    f"layer 1: {which}": (pixels4 - pixels0)[:, chosen].sum(1)
    for which, chosen in pixels_of.items()
}
change["layer 1: bias"] = b14 - b10
# Of a product, each factor's change times the other's mean: together exactly the whole change.
change["layer 2: weights"] = ((v4 - v0) * (h0 + h4) / 2).sum(1)
change["layer 2: what layer 1 says"] = ((v0 + v4) / 2 * (h4 - h0)).sum(1)
change["layer 2: bias"] = b24 - b20

# %%
fig = plt.figure(figsize=(14, 3.2))
left, right = fig.subfigures(1, 2, width_ratios=(1.35, 1))
axes = left.subplots(1, 4)
moved = [(heard[t][0] - heard[t - 1][0]).mean(0).view(28, 28).numpy() for t in range(1, 5)]
top = np.quantile(np.abs(moved), 0.995)
for ax, name, picture in zip(axes, names[1:], moved, strict=True):
    image = plots.heatmap(ax, picture, f"during {name}", cmap="RdBu_r", vmin=-top, vmax=top)
    ax.set(xticks=[], yticks=[], aspect="equal")
left.colorbar(
    image, ax=axes, label="layer 1: change of mean w·x", fraction=0.025, pad=0.02, shrink=0.7
)
ax = right.subplots()
table = plots.dots(ax, change, "change of the mean sum of a unit, task 1 to 5", index=3)
plots.mark(ax, 0, "")
note = (
    "Left: does blue (a fall) take the shape of new digits? Right: which term is farthest from 0?\n"
    f"{caption}. Plain network; means over units, test digits and (left) seeds; 95 % intervals."
)
results.save_figure(fig, folder, "inputs", table, note)

# %% [markdown]
# **What fell has the shape of the new digits.** During the second task weights go down on the strokes of 3 and 4. They
# go up on the background, where a standardised pixel is below zero. Both lower the sum.
#
# **Every kind of pixel takes part, and the bias hardly.** Bright pixels change a first-layer unit's mean sum by -4.0<!--=02 change of mean sum/layer 1: mostly bright pixels as .1f-->,
# constant ones by -1.7<!--=02 change of mean sum/layer 1: constant pixels as .1f-->, its bias by -0.03<!--=02 change of mean sum/layer 1: bias as .2f-->. In the second layer, too, it is the weights.
#
# ## What became of the notes' claims?
#
# Each row is a claim of the notes or a prediction of ours. `claims.csv` says what is tested.

# %%
keys = ("sparsity", "dead", "feature", "accuracy", "task-aware", "nll", "learned")
numbers = {
    f"{k} task {t + 1}/{n}": a[k] for n in looks for t, a in enumerate(looks[n]) for k in keys
}
for what, group in {"growth": growth, "undone": undone, "change of mean sum": change}.items():
    numbers |= {f"{what}/{k}": v for k, v in group.items()}
numbers |= {f"bias {k}/{s}": a[k] for s, a in stages.items() for k in ("mean", "median", "std")}
numbers |= {f"weight std/{stage}": v for stage, v in spread.items()}
numbers |= {f"{what}/{name}": v for what, group in magnitudes.items() for name, v in group.items()}
numbers |= {f"swapped, {key}/{k}": v for k, found in swaps.items() for key, v in found.items()}
steps, of = followed[lr].of("sparsity", task=1)
numbers["early growth/plain"] = (of[:, steps <= 50][:, -1] - of[:, 0]) / (of[:, -1] - of[:, 0])
aware = {name: looks[name][4]["task-aware"] for name in ("plain", "batch-norm")}
numbers["task-aware gain/batch-norm"] = aware["batch-norm"] - aware["plain"]
numbers["constant pixels"] = int(constant.sum())
verdicts = claims.read_claims("02", numbers, globals())
Markdown(claims.claims_table(verdicts))

# %%
settings = {key: globals()[key] for key in ("epochs", "batch_size", "lr", "rates", "validation")}
_ = results.save_run(folder, "02", images.name, settings, range(seeds), numbers, verdicts)

# %% [markdown]
# ## Appendix: all maps and distributions
#
# More features and gradients; distributions of biases and weights.

# %%
ends = {
    f"λ = {s:g}": [looks[f"joint, λ = {s:g}"][0]["shown"]] for s in (strengths[0], strengths[-2])
}
fig, table = matrix_grid(ends, ["joint training"], "digit", units, "activation", units=True)
fig.set_size_inches(10, 4.4)
note = (
    "Above without penalty, below with: how many units (columns) speak, and for how many digits?\n"
    f"{caption}. Seed 0, ten test digits of each class (rows)."
)
results.save_figure(fig, folder, "joint_features", table, note)

# %%
note = f"{caption}. Seed 0; a colour scale for each row, up to its 99.5 % quantile."
leads = {
    "fc2.weight": "Along a row: does the gradient gather in few columns (units of layer 1)?\n",
    "fc3.weight": "In a map: are the task's own outputs (lines) pulled, or old ones as well?\n",
}
for layer, (to, source) in list(layers.items())[1:]:
    grid = {name: [gradients[name][t][layer][0].numpy() for t in range(5)] for name in kinds}
    titles = [f"during {name}" for name in names]
    fig, table = matrix_grid(grid, titles, to, source, "Σ |gradient|")
    results.save_figure(fig, folder, f"gradients_{layer[:3]}", table, leads[layer] + note)

# %%
pd.DataFrame(
    {k: {n: results.plus_minus(v, ".3g") for n, v in g.items()} for k, g in magnitudes.items()}
).T

# %%
fig, axes = plt.subplots(2, 6, figsize=(13, 4.6), sharex="row", sharey="row")
tables, edges = [], np.linspace(-0.25, 0.25, 51)
for row, (kind, plural) in zip(axes, (("bias", "biases"), ("weight", "weights")), strict=True):
    for ax, (stage, after) in zip(row, stages.items(), strict=True):
        values = torch.cat([w.flatten() for n, w in after["weights"].items() if kind in n]).numpy()
        share = 100 * np.histogram(values, edges)[0] / len(values)
        ax.stairs(share, edges, fill=True, color=plots.COLORS[0])
        ax.axvline(np.median(values), color=plots.COLORS[3], lw=1.5)
        ax.set(title=stage, xlabel=kind)
        tables.append(
            pd.DataFrame({"what": kind, "group": stage, "from": edges[:-1], "percent": share})
        )
    row[0].set_ylabel(f"share of {plural} (%)")
note = (
    "From left to right: does the median (red) leave zero, of biases (above) or weights (below)?\n"
    f"{caption}. Plain network, biases and weights of all layers and seeds; red line: median."
)
results.save_figure(fig, folder, "histograms", pd.concat(tables), note)

# %% [markdown]
# ## Exercises
#
# **1. Which task did it?** The cell puts back the first layer's weights as they were after the first task. Put back
# those after the second. Does the network speak again?

# %%
back = swapped("fc1.weight", task=1)["sparsity"]  # your turn: task=2
print(f"sparsity with the first layer of an earlier task: {results.plus_minus(100 * back)} %")

# %% [markdown]
# You should see most units stay silent.
#
# <details><summary>Solution</summary>
#
# On mnist-5k sparsity falls from 85 % to 48 % with the first task's layer, but only to 75 % with the second's: that
# task brought most of the silence.
#
# </details>
#
# **2. Another optimizer.** Add SGD at a rate of 0.01. Does the network still forget? Does it still fall silent?

# %%
few_digits = data.load("mnist-5k", validation=1000)
few = streams.split(few_digits, [task.labels for task in stream.tasks], "class")
optimizers = {"AdamW": config}  # your turn: "SGD": replace(config, optimizer="sgd", lr=1e-2)
for name, own in optimizers.items():
    run = training.run_stream(models.mlp, methods.Finetune(), few, own, range(3))
    zeros = probes.activity(run.model, few_digits, few_digits.x_test)["sparsity"]
    right = metrics.average_accuracy(run.accuracy)
    print(f"{name}: {100 * zeros.mean():.0f} % zeros, {100 * right.mean():.0f} % right")

# %% [markdown]
# You should see as little right, but far fewer zeros.
#
# <details><summary>Solution</summary>
#
# It ends at about 20 % as before, with some 40 % of zeros, not 80 %.
#
# </details>

# %% [markdown]
# ## Takeaways
#
# - **A drift that goes along with a change need not cause it.** Biases fall, but holding them or putting them back
#   changes next to nothing.
# - **Each layer's weights silence that layer's units**, in the first layer on all kinds of pixels.
# - **Sparsity is not what forgets.** With batch-norm or at a small learning rate it does not grow, and over all ten
#   digits both forget as completely.
# - **Told the task, small steps forget far less.** At the smallest rate 91%<!--=02 task-aware task 5/lr 2e-05 as .0%--> of the old digits are right, in the plain
#   network 53%<!--=02 task-aware task 5/plain as .0%-->. Whether that is the living units or the rate itself is open; with batch-norm the gain is
#   undecided. Notebook 03a asks the units.
#
# *Caveats.* One architecture, one order of tasks, AdamW. "Dead" is judged on test digits. What is put back meets
# layers that have changed since: it shows what suffices, not how it came. How the notes took sparsity and gradients is
# not said.
#
# **References.** Glorot, Bordes & Bengio 2011 (sparse rectifiers). Ioffe & Szegedy 2015 (batch-norm). Lu et al. 2019,
# *Dying ReLU and initialization*. The source: Split-MNIST notes, from "Trying to increase sparsity" to "Gradient".
