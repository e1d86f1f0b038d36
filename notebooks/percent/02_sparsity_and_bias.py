# %% [markdown]
# # 02 · Sparsity and bias
#
# **Why do the hidden units of a network fall silent as it learns task after task, and do its biases switch them off?**
#
# TODO
#
# Before: [01 · Sequential forgetting](01_sequential_forgetting.ipynb)

# %% [markdown]
# ## The idea
#
# *Population sparsity* is the share of exact zeros among all hidden activations $h = \max(0, Wx + b)$, over digits and
# units of both hidden layers. It can be forced, by a penalty on the activations,
#
# $$L = L_\text{task} + \lambda \big(\overline{|h_1|} + \overline{|h_2|}\big),$$
#
# and it comes by itself: in sequential training it grows from task to task. The notes that we start from saw the mean of
# the biases fall by some hundredths at the same time and conjectured, on a chatbot's word, that negative biases *cause*
# the sparsity, to shield what was learned. That is a causal claim, so we intervene: hold the biases and see.

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

from cf_utils import data, methods, models, plots, probes, results, streams, training

plots.style()

# %% tags=["parameters"]
dataset = "mnist-5k"  # 5,000 digits, no download; "mnist": all 70,000
validation = 1000  # training digits held out to validate on
seeds = 10  # replicas, trained side by side
epochs = 5  # passes over each task
batch_size = 64
lr = 1e-3
strengths = [0.0, 0.001, 0.1, 1.0, 2.0]  # λ of the activation penalty in joint training
out = ""  # folder for figures and results; empty: out/02_sparsity_and_bias

# %% [markdown]
# ## The stream
#
# Network and tasks are those of notebook 01. Sparsity is measured on test digits of all ten classes, losses and
# accuracies on digits held out from training, as in the notes.

# %%
folder = results.output_folder(out, "02_sparsity_and_bias")
images = data.load(dataset, validation=validation)
stream = streams.split(images, [[1, 2], [3, 4], [5, 6], [7, 8], [9, 0]], scenario="class")
joint = streams.joint(stream)
config = training.TrainConfig(epochs=epochs, batch_size=batch_size, lr=lr, optimizer="adamw", weight_decay=0.01)
caption = f"{images.name}, {len(images.y_train):,} training digits, {seeds} seeds, {epochs} epochs a task"
names = [task.name for task in stream.tasks]
by_class = torch.cat([torch.nonzero(images.y_test == c)[:10, 0] for c in range(10)])  # ten test digits of each class
own_task = replace(stream, scenario="task").allowed(0, 10)
looks, runs, gradients = {}, {}, {}


def look(loop):
    seen = loop.stream.tasks[: loop.t + 1]
    x, y = torch.cat([task.x_val for task in seen]), torch.cat([task.y_val for task in seen])
    logits = training.predict(loop.model, images, x)
    aware = logits.masked_fill(~own_task[y], -torch.inf).argmax(2) == y
    _, hidden = training.predict(loop.model, images, images.x_test, hidden=True)
    _, shown = training.predict(loop.model, images, images.x_test[by_class], hidden=True)
    return probes.bias_statistics(loop.model) | {
        "accuracy": (logits.argmax(2) == y).double().mean(1),
        "loss": probes.output_statistics(logits, y, list(seen[0].labels))["nll"],
        "task-aware": aware.double().mean(1),
        "sparsity": probes.sparsity(hidden),
        "dead": probes.dead_units(hidden),
        "feature": torch.cat([h.flatten(1) for h in hidden.values()], 1).sum(1)
        / sum((h > 0).flatten(1).sum(1) for h in hidden.values()),
        "shown": torch.cat([h[0] for h in shown.values()], 1).numpy(),
        "mean hidden": {name: h.mean(1) for name, h in hidden.items()},
        "weights": {name: weight.detach().clone() for name, weight in loop.model.weights.items()},
    }


def train(name, build=models.mlp, method=None, stream=stream, config=config, extra=()):
    """Train replicas, look at them after each task; keeps the run and the looks by name."""
    looks[name] = []
    note = training.at("after_task", lambda loop: looks[name].append(look(loop)))
    method = method or methods.Finetune()
    runs[name] = training.run_stream(build, method, stream, config, range(seeds), callbacks=[note, *extra])


def over_tasks(name, key):
    return torch.stack([after[key] for after in looks[name]], 1).double().numpy()


# %% [markdown]
# ## Forcing sparsity: the penalty in joint training
#
# This is the whole method, as the comparison of all methods uses it:

# %%
Markdown(f"```python\n{inspect.getsource(methods.ActivationL1)}```")

# %% [markdown]
# A check that a reader can believe: the penalty of all-zero activations is zero, and it is linear in the activations.

# %%
method = methods.ActivationL1(2.0)
for value in (0.0, 1.0, 3.0):
    batch = methods.Batch(
        None, None, 0, hidden={"act1": torch.full((1, 4, 5), value), "act2": torch.full((1, 4, 3), value)}
    )
    print(f"|h| = {value}: penalty {method.penalty(None, batch, None).tolist()}")

# %% [markdown]
# **Prediction (notes).** λ up to 0.1 costs nothing and lifts sparsity from 54 % to 83 %; λ = 2 costs seven points.

# %%
forced = {f"λ = {strength:g}": f"joint, λ = {strength:g}" for strength in strengths}
for strength, name in zip(strengths, forced.values(), strict=True):
    train(name, method=methods.ActivationL1(strength), stream=joint)
columns = {
    "held-out accuracy (%)": ("accuracy", 100),
    "held-out loss (nats)": ("loss", 1),
    "sparsity (%)": ("sparsity", 100),
}
groups = {c: {k: scale * looks[n][0][key] for k, n in forced.items()} for c, (key, scale) in columns.items()}
fig, axes, table = plots.dot_columns(groups, "joint training on all ten digits")
results.save_figure(fig, folder, "joint", table, f"{caption}; 95 % intervals.")

# %%
ends = {f"λ = {s:g}": [looks[f"joint, λ = {s:g}"][0]["shown"]] for s in (strengths[0], strengths[-2])}
fig, table = plots.matrix_grid(
    ends, ["joint training"], "digit × 10", "hidden units: layer 1 (120) | layer 2 (84)", "activation", 120
)
fig.set_size_inches(10, 4.4)
results.save_figure(fig, folder, "joint_features", table, f"{caption}. Seed 0, ten test digits of each class (rows).")

# %% [markdown]
# ## Sparsity that comes by itself
#
# **Prediction (notes).** Without any penalty sparsity grows from 50 % after task 1 to 90 % after task 5. Batch-norm stops
# that growth; weight decay and dropout do not.

# %%
kinds = {
    "plain": {},
    "L1 = 1": {"method": methods.ActivationL1(1.0)},
    "batch-norm": {"build": partial(models.mlp, norm="batch")},
    "batch-norm + L1 = 1": {"build": partial(models.mlp, norm="batch"), "method": methods.ActivationL1(1.0)},
}
for name, options in kinds.items():
    gradients[name] = {}
    train(name, extra=[probes.accumulated_gradients(gradients[name])], **options)
for decay in (0.1, 1.0, 5.0):
    train(f"weight decay {decay:g}", config=replace(config, weight_decay=decay))
for share in (0.2, 0.5):
    train(f"dropout {share:g}", partial(models.mlp, dropout=share))


# %%
def by_task(keys, panels, ylabel, figure, note):
    """Lines of the chosen measures after each task, one panel for each list of networks."""
    fig, axes = plt.subplots(len(keys), len(panels), figsize=(11, 3.3 * len(keys)), sharey="row", squeeze=False)
    tables = []
    for row, (key, label) in zip(axes, zip(keys, ylabel, strict=True), strict=True):
        for ax, panel in zip(row, panels, strict=True):
            for i, name in enumerate(panel):
                drawn = plots.band(ax, names, 100 * over_tasks(name, key), name, index=i)
                tables.append(drawn.assign(measure=label))
            ax.set(xlabel="after task", ylim=(-3, 103))
            plots.end_labels(ax, gap=0.075)
        row[0].set_ylabel(label)
    results.save_figure(fig, folder, figure, pd.concat(tables), note)


others = ["plain"] + [name for name in runs if "decay" in name or "dropout" in name]
note = f"{caption}. {len(images.y_test):,} test digits of all classes; bands: 95 %. Dead: silent for every test digit."
by_task(("sparsity", "dead"), (list(kinds), others), ("sparsity (%)", "dead units (%)"), "sparsity", note)

# %% [markdown]
# ## Features and gradients, task by task
#
# What the hidden units say to a hundred test digits after each task, and how hard each weight was pulled while the task
# was trained: the sum of |gradient| over its steps. **Prediction (notes).** Without batch-norm most units fall silent by
# task 3; under L1 the features that are left are about a tenth as large; the head is pulled far harder in the plain
# network (40) than under batch-norm (5).

# %%
grid = {name: [after["shown"] for after in looks[name]] for name in kinds}
titles = [f"after {name}" for name in names]
fig, table = plots.matrix_grid(
    grid, titles, "digit × 10", "hidden units: layer 1 (120) | layer 2 (84)", "activation", 120
)
note = f"{caption}. Seed 0, ten test digits of each class (rows); a colour scale for each row."
results.save_figure(fig, folder, "features", table, note)

# %%
layers = {
    "fc1.weight": ("first layer", "120 units", "784 pixels"),
    "fc2.weight": ("second layer", "84 units", "120 units"),
}
layers["fc3.weight"] = ("head", "10 outputs", "84 units")
for layer, (label, rows, cols) in layers.items():
    grid = {name: [gradients[name][t][layer][0].numpy() for t in range(5)] for name in kinds}
    fig, table = plots.matrix_grid(grid, [f"{label}, {name}" for name in names], rows, cols, "Σ |gradient|")
    results.save_figure(
        fig, folder, f"gradients_{label.replace(' ', '_')}", table, f"{caption}. Seed 0; a colour scale for each row."
    )


# %%
def pull(name, layer, t):
    """Largest accumulated |gradient| of a layer in task t, one value a seed."""
    return gradients[name][t][layer].flatten(1).amax(1)


magnitudes = {"mean active feature after task 5": {name: looks[name][4]["feature"] for name in kinds}}
for layer, (label, *_) in layers.items():
    for t in (0, 1, 4):
        magnitudes[f"largest Σ |gradient|, {label}, task {t + 1}"] = {name: pull(name, layer, t) for name in kinds}
shown = [
    {"magnitude": k} | {n: "{mean:.3g} ± {ci95:.2g}".format(**results.summary(v)) for n, v in g.items()}
    for k, g in magnitudes.items()
]
pd.DataFrame(shown)

# %% [markdown]
# ## The biases
#
# **Prediction (notes).** The weights' distribution hardly changes; the biases' mean and median fall below zero after
# task 2 and keep falling, to −0.022 and −0.023.

# %%
stages = {"joint": looks["joint, λ = 0"][0]} | {
    f"after {name}": after for name, after in zip(names, looks["plain"], strict=True)
}
fig, axes = plt.subplots(2, 6, figsize=(13, 4.4), sharex="row", sharey="row")
tables = []
for row, (kind, edges) in zip(
    axes, {"bias": np.linspace(-0.25, 0.25, 51), "weight": np.linspace(-0.3, 0.3, 61)}.items(), strict=True
):
    for ax, (stage, after) in zip(row, stages.items(), strict=True):
        values = torch.cat([w.flatten() for n, w in after["weights"].items() if n.endswith(kind)]).numpy()
        share, _ = np.histogram(values, edges)
        ax.stairs(100 * share / len(values), edges, fill=True, color=plots.COLORS[0])
        ax.axvline(np.median(values), color=plots.COLORS[3], lw=1.5)
        ax.set(title=stage if kind == "bias" else "", xlabel=kind)
        tables.append(
            pd.DataFrame({"what": kind, "stage": stage, "from": edges[:-1], "percent": 100 * share / len(values)})
        )
    row[0].set_ylabel(f"share of all\n{'biases' if kind == 'bias' else 'weights'} (%)")
note = f"{caption}. Plain network, biases and weights of all layers and seeds; red line: median."
results.save_figure(fig, folder, "histograms", pd.concat(tables), note)

# %%
form = {"mean": "{mean:+.4f} ± {ci95:.4f}", "median": "{mean:+.4f} ± {ci95:.4f}", "std": "{mean:.4f} ± {ci95:.4f}"}
form["sparsity"] = "{mean:.3f} ± {ci95:.3f}"
pd.DataFrame(
    {"stage": s} | {k: f.format(**results.summary(after[k])) for k, f in form.items()} for s, after in stages.items()
)

# %% [markdown]
# ## Do the biases cause the sparsity?
#
# The drift is real. Is it the cause? **Prediction.** If negative biases silenced the units, networks whose hidden biases
# cannot fall would stay as active as after task 1. We train three of them: biases *frozen* at their initial values,
# biases held *at zero*, and biases that may move but *never below zero*.

# %%
hidden_biases = ("fc1.bias", "fc2.bias")


def hold(loop, zero):
    """Before each task: hidden biases take no gradient, and so no step (at zero, if ``zero``)."""
    for name in hidden_biases:
        loop.model.weights[name].requires_grad_(False).mul_(0.0 if zero else 1.0)


@torch.no_grad()
def keep_positive(loop):
    """After each step: negative hidden biases go back to zero."""
    for name in hidden_biases:
        loop.model.weights[name].clamp_(min=0)


train("biases frozen", extra=[training.at("before_task", partial(hold, zero=False))])
train("biases at zero", extra=[training.at("before_task", partial(hold, zero=True))])
train("biases never negative", extra=[training.at("step", keep_positive)])

# %%
cases = ["plain", "biases frozen", "biases at zero", "biases never negative", "batch-norm"]
growth = {name: looks[name][4]["sparsity"] - looks[name][0]["sparsity"] for name in cases}
groups = {
    "sparsity after\ntask 5 (%)": {name: 100 * looks[name][4]["sparsity"] for name in cases},
    "growth since\ntask 1 (points)": {name: 100 * growth[name] for name in cases},
    "dead units after\ntask 5 (%)": {name: 100 * looks[name][4]["dead"] for name in cases},
    "accuracy, all ten\ndigits (%)": {name: 100 * looks[name][4]["accuracy"] for name in cases},
    "task-aware\naccuracy (%)": {name: 100 * looks[name][4]["task-aware"] for name in cases},
}
fig, axes, table = plots.dot_columns(groups)
results.save_figure(
    fig,
    folder,
    "interventions",
    table,
    f"{caption}. Test digits (sparsity), held-out digits (accuracy); 95 % intervals.",
)

# %% [markdown]
# The second test needs no new training. Take the plain network after task 5 and put back *only the biases* of task 1, or
# *only the weights*. And a third one, by arithmetic: a unit's mean input is $\overline{w \cdot h} + b$; by how much did
# each of the two terms change between task 1 and task 5?


# %%
def swapped(weights_from, biases_from):
    """Sparsity of the plain network with weights and hidden biases taken from after these tasks, one value a seed."""
    model = copy.deepcopy(runs["plain"].model)
    parts = {
        name: looks["plain"][biases_from if name in hidden_biases else weights_from]["weights"][name]
        for name in model.weights
    }
    with torch.no_grad():
        for name, weight in model.weights.items():
            weight.copy_(parts[name])
    return probes.sparsity(training.predict(model, images, images.x_test, hidden=True)[1])


def mean_input(t):
    """Layer -> (mean over units of w·h, of b) in the plain network after task t, one value a seed."""
    after = looks["plain"][t]
    below = {
        "fc1": images.scale(images.x_test).flatten(1).mean(0).expand(seeds, -1),
        "fc2": after["mean hidden"]["act1"],
    }
    pairs = {
        k: (after["weights"][f"{k}.weight"] @ h.unsqueeze(2), after["weights"][f"{k}.bias"]) for k, h in below.items()
    }
    return {k: (wh.squeeze(2).mean(1), b.mean(1)) for k, (wh, b) in pairs.items()}


swaps = {f"weights of task {w + 1}, biases of task {b + 1}": swapped(w, b) for w in (0, 4) for b in (0, 4)}
first, last = mean_input(0), mean_input(4)
change = {
    f"{layer}: {part}": last[layer][i] - first[layer][i] for layer in first for i, part in enumerate(("w·h", "bias"))
}
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 2.6))
table = plots.dots(left, {k: 100 * v for k, v in swaps.items()}, "sparsity (%)").assign(metric="sparsity (%)")
moved = plots.dots(right, change, "change of a unit's mean input,\ntask 1 to task 5", index=1).assign(
    metric="mean input"
)
right.axvline(0, color="0.4", ls=":", lw=1)
note = f"{caption}. Plain network, {len(images.y_test):,} test digits; 95 % intervals."
results.save_figure(fig, folder, "swaps", pd.concat([table, moved]), note)

# %%
start, end = (swaps[f"weights of task {t}, biases of task {t}"] for t in (1, 5))
undone = {
    "biases put back": (end - swaps["weights of task 5, biases of task 1"]) / (end - start),
    "weights put back": (end - swaps["weights of task 1, biases of task 5"]) / (end - start),
    "biases frozen": 1 - growth["biases frozen"] / growth["plain"],
    "biases at zero": 1 - growth["biases at zero"] / growth["plain"],
    "biases never negative": 1 - growth["biases never negative"] / growth["plain"],
}
text = {k: "{mean:.0f} ± {ci95:.0f} %".format(**results.summary(100 * v)) for k, v in undone.items()}
Markdown(
    f"Of the growth of sparsity, putting back the biases undoes **{text['biases put back']}**, putting back the weights "
    f"**{text['weights put back']}**. Training with frozen biases prevents {text['biases frozen']} of it, with biases at zero "
    f"{text['biases at zero']}, with biases that are never negative {text['biases never negative']}."
)

# %% [markdown]
# ## What became of the notes' claims

# %%
spread = [
    torch.cat([w.flatten(1) for n, w in looks["plain"][t]["weights"].items() if n.endswith("weight")], 1).std(1)
    for t in (0, 4)
]
ours = {
    **{f"02-joint-{s:g}-sparsity": looks[f"joint, λ = {s:g}"][0]["sparsity"] for s in strengths},
    **{f"02-joint-{s:g}-accuracy": looks[f"joint, λ = {s:g}"][0]["accuracy"] for s in strengths},
    **{f"02-plain-task{t + 1}": looks["plain"][t]["sparsity"] for t in range(5)},
    "02-plain-grows": growth["plain"],
    **{f"02-l1-task{t + 1}": looks["L1 = 1"][t]["sparsity"] for t in (0, 4)},
    "02-l1-forgets": looks["L1 = 1"][4]["accuracy"],
    **{f"02-bn-task{t + 1}": looks["batch-norm"][t]["sparsity"] for t in (0, 4)},
    "02-bn-flat": growth["batch-norm"],
    "02-bn-l1-task5": looks["batch-norm + L1 = 1"][4]["sparsity"],
    "02-dropout-grows": looks["dropout 0.2"][4]["sparsity"] - looks["dropout 0.2"][0]["sparsity"],
    "02-bias-joint-mean": stages["joint"]["mean"],
    **{f"02-bias-task{t + 1}-mean": looks["plain"][t]["mean"] for t in (0, 4)},
    **{f"02-bias-task{t + 1}-median": looks["plain"][t]["median"] for t in (1, 4)},
    "02-bias-task5-std": looks["plain"][4]["std"],
    "02-bias-falls": looks["plain"][4]["median"] - looks["plain"][0]["median"],
    "02-weights-still": spread[1] / spread[0],
    "02-cause-frozen": undone["biases frozen"],
    "02-cause-never-negative": undone["biases never negative"],
    "02-cause-put-back": undone["biases put back"],
    "02-l1-tenth": looks["L1 = 1"][4]["feature"] / looks["plain"][4]["feature"],
    "02-head-bn": pull("batch-norm", "fc3.weight", 4) / pull("plain", "fc3.weight", 4),
    "02-head-task2": pull("plain", "fc3.weight", 1) / pull("plain", "fc3.weight", 0),
    "02-head-task3": pull("plain", "fc3.weight", 2) / pull("plain", "fc3.weight", 1),
    "02-dead-grow": looks["plain"][4]["dead"] - looks["plain"][0]["dead"],
    "02-dead-bn": looks["batch-norm"][4]["dead"],
    "02-dead-l1": looks["L1 = 1"][4]["dead"] - looks["plain"][4]["dead"],
    "02-dead-bn-l1": looks["L1 = 1"][4]["dead"] - looks["batch-norm + L1 = 1"][4]["dead"],
}
claims = results.read_claims("02", ours)
Markdown(results.claims_table(claims))

# %%
numbers = {f"sparsity task {t + 1}/{name}": after["sparsity"] for name in looks for t, after in enumerate(looks[name])}
numbers |= {f"dead task {t + 1}/{name}": after["dead"] for name in kinds for t, after in enumerate(looks[name])}
numbers |= {f"accuracy/{name}": looks[name][-1]["accuracy"] for name in looks} | {
    f"growth/{k}": v for k, v in growth.items()
}
numbers |= {f"task-aware/{name}": looks[name][-1]["task-aware"] for name in cases} | {
    f"undone/{k}": v for k, v in undone.items()
}
numbers |= {f"bias {k}/{s}": after[k] for s, after in stages.items() for k in ("mean", "median", "std")}
numbers |= {f"{what}/{name}": v for what, group in magnitudes.items() for name, v in group.items()}
numbers |= {f"mean input/{k}": v for k, v in change.items()}
settings = {k: globals()[k] for k in ("epochs", "batch_size", "lr", "validation", "strengths")}
_ = results.save_run(folder, "02", images.name, settings, range(seeds), numbers, claims)
