# %% [markdown]
# # 05d · Where springs fail
#
# **Why do stiff springs neither freeze a network nor help it, and what goes wrong in other people's code?**

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
from torch.func import functional_call, jvp
from torch.nn import functional as F

from cf_utils import data, methods, metrics, models, plots, results, streams, training

plots.style()

# %% tags=["parameters"]
dataset = "mnist-5k"  # 5,000 digits, no download; "mnist": all 70,000
validation = 500  # training digits held out, on which the λ of the last table is chosen
seeds = 3  # replicas, trained side by side
epochs = 3  # passes over each task
batch_size = 64
lr = 1e-3  # of Adam
picking = 2  # other seeds, 100, 101, ..., on which the λ of the last table is chosen
out = ""  # folder for figures and results; empty: out/05d_where_springs_fail

# %%
folder = results.output_folder(out, "05d_where_springs_fail")
w, tables = np.linspace(-3.5, 3.5, 701), []
fig, axes = plt.subplots(1, 2, figsize=(10, 3.4), sharey=True)
for ax, title, anchor in zip(axes, ("not sure yet", "sure"), (0.5, 2.5), strict=True):
    fisher = 16 * np.exp(-4 * anchor) / (1 + np.exp(-4 * anchor)) ** 2
    spring = 30 / 2 * fisher * (w - anchor) ** 2
    lines = {"old loss, true": np.log1p(np.exp(-4 * w)), "spring, λ/2 · F · (w − w*)²": spring}
    lines["new loss"] = (w + 2.5) ** 2 / 2
    for i, (name, values) in enumerate(lines.items()):
        ax.plot(w, values, color=plots.COLORS[i], ls=["-", "--", "-."][i], lw=2, label=name)
    best = (lines["new loss"] + spring).argmin()
    end = w[best], lines["old loss, true"][best]
    ax.plot(*end, "o", ms=9, color="k")
    ax.annotate("ends here", end, (9, 9), textcoords="offset points")
    plots.mark(ax, anchor, "w*", side="right")
    ax.set(xlabel="weight w", ylim=(-0.3, 11))
    ax.set_title(f"{title}: F = {fisher:.2g}, λF = {30 * fisher:.2g}", pad=16)
    tables.append(pd.DataFrame({"w": w, "panel": title} | lines))
axes[0].set_ylabel("loss")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
note = "A drawing: one logistic weight, old loss log(1 + exp(−4 w)), the same λ = 30 on both sides."
results.save_figure(fig, folder, "one_weight", pd.concat(tables), note)

# %% [markdown]
# ## The idea

# %%
Markdown("```python\n" + inspect.getsource(methods.EWC) + "```")


# %%
class ImplicitEWC(methods.EWC):
    """EWC's springs, taken out of the optimizer's hands: an implicit step after each of its steps, no penalty."""

    def penalty(self, loop, batch, logits):
        return None

    def after_step(self, loop):
        for name, fisher in self.springs.importance.items():
            stiff = loop.config.lr * self.strength.to(fisher).view(-1, *[1] * (fisher.ndim - 1)) * fisher
            loop.model.weights[name].data.add_(stiff * self.springs.anchor[name]).div_(1 + stiff)


class WarmEWC(methods.EWC):
    """EWC with the Fisher of softmax(z / 2), which is never as sure: the last layer of a copy is halved."""

    def importance_of(self, loop):
        warm = copy.copy(loop)
        warm.model = copy.deepcopy(loop.model)
        head = [*warm.model.weights][-2:]
        for name in head:
            warm.model.weights[name].data /= 2
        found = super().importance_of(warm)
        return found | {name: found[name] / 4 for name in head}  # chain rule: these weights were halved themselves


# %%
class Smoothing(methods.Method):
    """Label smoothing: (1 − s) CE + s (CE against equal shares) = CE + s (z_y − mean z)."""

    def __init__(self, share):
        self.share = share

    def penalty(self, loop, batch, logits):
        right = logits.gather(2, batch.y.unsqueeze(2)).squeeze(2)
        return self.share * (right - logits.mean(2)).mean(1)


class StopEarly(methods.Method):
    """Ends a task, replica by replica, once the running accuracy over about ten batches passes config.stop_at."""

    def before_task(self, loop):
        self.right = torch.full([len(loop.model)], 0.5, device=loop.device)

    def penalty(self, loop, batch, logits):
        self.right = 0.9 * self.right + 0.1 * (logits.argmax(2) == batch.y).float().mean(1)

    def after_step(self, loop):
        loop.active &= self.right <= loop.config.stop_at


# %%
images = data.load(dataset, validation=validation)
classes = [[1, 2], [3, 4], [5, 6], [7, 8], [9, 0]]
domain, shared, told = (streams.split(images, classes, scenario) for scenario in ("domain", "class", "task"))
carried = training.TrainConfig(epochs, batch_size, lr, optimizer="adam", weight_decay=0.0)
fresh = replace(carried, fresh_optimizer=True)
two_outputs = partial(models.mlp, (784, 120, 84, 2))
with_norm = partial(models.mlp, (784, 120, 84, 2), norm="batch")
caption = f"{images.name}, {len(images.y_train):,} training digits, {seeds} seeds, {epochs} epochs a task, Adam"
strengths = [1e2, 1e4, 1e6, 1e8]
powers = {1e2: "10²", 1e4: "10⁴", 1e5: "10⁵", 1e6: "10⁶", 1e8: "10⁸"}  # as they are written in figures
runs = {}


def train(arm, strength, method, stream=domain, build=two_outputs, config=fresh, who=range(seeds), calls=(), **more):
    """Train replicas; keep what came of them, in percent, and the share of weights with η λ F < 1 from task 2 on."""
    free = []

    def note(loop):
        if loop.t and strength:
            fisher = torch.cat([f.flatten(1) for f in loop.methods[0].springs.importance.values()], 1)
            free.append((lr * strength * fisher < 1).double().mean(1))

    calls = [training.at("before_task", note), *calls]
    run = training.run_stream(build, method, stream, config, who, callbacks=calls, **more)
    measured = {"accuracy": metrics.average_accuracy, "learned": metrics.learning_accuracy}
    runs[arm, strength] = {key: 100 * measure(run.accuracy).numpy() for key, measure in measured.items()}
    runs[arm, strength]["forgotten"] = -100 * metrics.backward_transfer(run.accuracy).numpy()
    runs[arm, strength]["free"] = 100 * torch.stack(free).mean(0).numpy() if free else np.full(len(who), 100.0)
    return run


# %%
first = replace(domain, tasks=domain.tasks[:1], groups=domain.groups[:1])
run = training.run_stream(two_outputs, methods.EWC(1.0), first, replace(fresh, epochs=1), [0])
bias = run.model.weights["fc3.bias"]
loop = training.Loop(run.model, run.methods, first, fresh, (), bias.device)
logits, y = torch.randn(1, 64, 2), torch.randint(2, (1, 64))
smoothed = F.cross_entropy(logits.mT, y) + Smoothing(0.1).penalty(loop, methods.Batch(None, y, 64), logits)
gap = (smoothed - F.cross_entropy(logits.mT, y, label_smoothing=0.1)).abs().item()
print("label smoothing is PyTorch's:", gap < 1e-6)
implicit, start = ImplicitEWC(1e12), bias.detach().clone()
implicit.springs = run.methods[0].springs
bias.data += 0.1
implicit.after_step(loop)
print(f"implicit step, λ = 10¹²: biases moved by 0.1 are {(bias - start).abs().max():.0e} away after it")

# %% [markdown]
# ## Is it bouncing?

# %%
for name, config in {"carried": carried, "fresh": fresh}.items():
    train(f"finetuning, {name}", 0.0, methods.Finetune(), config=config)
    for strength in strengths:
        train(f"penalty, {name}", strength, methods.EWC(strength), config=config)
        train(f"implicit, {name}", strength, ImplicitEWC(strength), config=config)

# %%
measures = {"forgotten": "forgotten since it was\ntrained (points)", "learned": "accuracy right after\neach task (%)"}
measures["accuracy"] = "accuracy after\nthe stream (%)"


def sweep_figure(rows, measures, name, note):
    """A row of panels for each title -> arms (arm -> its λ = 0), a column for each measure, a line for each arm."""
    size = (0.6 + 3.3 * len(measures), 0.9 + 2.6 * len(rows))
    fig, axes = plt.subplots(len(rows), len(measures), figsize=size, sharex=True, sharey="col", squeeze=False)
    tables = []
    for row, (title, arms) in zip(axes, rows.items(), strict=True):
        for ax, (key, label) in zip(row, measures.items(), strict=True):
            for i, (arm, without) in enumerate(arms.items()):
                values = np.stack([runs[arm, strength][key] for strength in strengths], 1)
                tables.append(plots.band(ax, strengths, values, arm.split(", ")[0], i).assign(arm=arm, measure=key))
                if key != "free":
                    ax.axhline(runs[without, 0.0][key].mean(), color=plots.COLORS[i], ls=":", lw=1.5)
            ax.set(xscale="log", ylabel=label)
            ax.set_xticks(strengths, [powers[strength] for strength in strengths])
            ax.minorticks_off()
        row[len(row) // 2].set_title(title)
    for ax in axes[0]:  # its scale is that of the panels below it, too
        low, high = ax.get_ylim()
        ax.set_ylim(max(low, -5), min(high, 103))
    plt.setp(axes[-1], xlabel="strength λ")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    results.save_figure(fig, folder, name, pd.concat(tables).rename(columns={"x": "strength"}), note)


# %%
titles = {"carried": "Adam's moments carried", "fresh": "a fresh Adam for each task"}
rows = {title: {f"{arm}, {k}": f"finetuning, {k}" for arm in ("penalty", "implicit")} for k, title in titles.items()}
note = f"{caption}; domain-incremental, test digits, 95 % bands. Dotted: finetuning."
sweep_figure(rows, measures, "bouncing", note)

# %% [markdown]
# ## Vanishing Fishers

# %%
early = replace(fresh, stop_at=0.95)
train("smoothed, fresh", 0.0, Smoothing(0.1))
train("stopped at 95 %, fresh", 0.0, StopEarly(), config=early)
for strength in strengths:
    train("smoothed, fresh", strength, [methods.EWC(strength), Smoothing(0.1)])
    train("stopped at 95 %, fresh", strength, [methods.EWC(strength), StopEarly()], config=early)
    train("Fisher at temperature 2, fresh", strength, WarmEWC(strength))

# %%
arms = {"penalty, fresh": "finetuning, fresh", "Fisher at temperature 2, fresh": "finetuning, fresh"}
arms |= {arm: arm for arm in ("smoothed, fresh", "stopped at 95 %, fresh")}
note = f"{caption}, fresh for each task;\ndomain-incremental, test digits, 95 % bands. Dotted: no springs."
sweep_figure({"": arms}, {"free": "free weights,\nη λ F < 1 (%)"} | measures, "vanishing", note)

# %% [markdown]
# ## Free or stiff: which weights forget?

# %%
two = replace(domain, tasks=domain.tasks[:2], groups=domain.groups[:2])
looked, kept = [1, 3, 10, 30, 100, 300], {}
for strength in [0.0, *strengths]:
    of = kept[strength] = {"steps": []}

    def keep(loop, of=of):
        if loop.moment == "after_task" and loop.t == 0:
            of |= {"before": copy.deepcopy(loop.model), "fisher": dict(loop.methods[0].springs.importance)}
        elif loop.t == 1 and (loop.moment == "after_task" or (loop.moment == "step" and loop.step in looked)):
            weights = {n: w.detach() - of["before"].weights[n].detach() for n, w in loop.model.weights.items()}
            of["steps"].append((loop.step, weights))

    of["model"] = train("two tasks, fresh", strength, methods.EWC(strength), two, calls=[keep]).model

# %%
put_back, draw = {}, torch.Generator().manual_seed(0)
for strength, of in kept.items():
    free = {n: lr * strength * f < 1 for n, f in of["fisher"].items()}
    shares = {n: f.double().flatten(1).mean(1).view(-1, *[1] * (f.ndim - 1)).cpu() for n, f in free.items()}
    drawn = {n: torch.rand(f.shape, generator=draw) < shares[n] for n, f in free.items()}
    masks = {"nothing": {n: torch.zeros_like(f) for n, f in free.items()}}
    masks |= {"stiff weights": {n: ~f for n, f in free.items()}, "free weights": free, "as many at random": drawn}
    for name, mask in masks.items():
        other = copy.deepcopy(of["model"])
        for n, change in of["steps"][-1][1].items():
            other.weights[n].data -= change * mask[n].to(change.device)
        put_back[strength, name] = 100 * training.task_accuracies(other, two).numpy()

# %%
columns = {}
for t, strength in ((0, 1e4), (0, 1e8), (1, 1e4), (1, 1e8)):
    label = f"task {t + 1}, λ = {powers[strength]}:\naccuracy (%)"
    columns[label] = {name: values[:, t] for (s, name), values in put_back.items() if s == strength}
fig, axes, table = plots.dot_columns(columns, "put back, after task 2, to where they were after task 1:")
plt.setp(axes, xlim=(40, 103))
note = f"{caption}, fresh for each task; domain-incremental, test digits, 95 % intervals.\nStiff: η λ F ≥ 1. At random: as many of each layer as are free."
results.save_figure(fig, folder, "put_back", table, note)

# %% [markdown]
# ## The quadratic or the diagonal?

# %%
x, y, rows = images.scale(two.tasks[0].x_train), two.tasks[0].y_train, []
for strength, of in kept.items():
    for r in range(seeds):
        network = of["before"].replica(r).eval().to(x.device)
        call = partial(functional_call, network, args=(x,))
        start = {n: w.detach() for n, w in network.named_parameters()}
        for step, moved in of["steps"]:
            change = {n: moved[n][r].to(x.device) for n in start}
            with torch.no_grad():
                at, slope = jvp(call, (start,), (change,))
                end = call({n: start[n] + change[n] for n in start})
            p, here = at.softmax(1), F.cross_entropy(at, y)
            spread = (p * slope.square()).sum(1) - (p * slope).sum(1).square()  # of d log p over the labels
            rise = {"true": F.cross_entropy(end, y) - here, "whole Fisher": spread.mean() / 2}
            rise["linearised network"] = F.cross_entropy(at + slope, y) - here
            held = (of["fisher"][n][r].to(x.device) * change[n].square() for n in start)
            rise["diagonal Fisher"] = sum(part.sum() for part in held) / 2
            rows += ({"λ": strength, "seed": r, "step": step, "loss": k, "rise": v.item()} for k, v in rise.items())
rises = pd.DataFrame(rows)

# %%
fig, axes = plt.subplots(1, 3, figsize=(12, 3.8), sharey=True)
for ax, strength in zip(axes, (0.0, 1e4, 1e8), strict=True):
    for i, kind in enumerate(("true", "linearised network", "whole Fisher", "diagonal Fisher")):
        table = rises[(rises["λ"] == strength) & (rises["loss"] == kind)]
        wide = table.pivot(index="seed", columns="step", values="rise")
        plots.band(ax, wide.columns, wide.to_numpy(), kind, i, ms=5)
    ax.set(xscale="log", xlabel="step of task 2", title=f"EWC, λ = {powers[strength]}" if strength else "finetuning")
    ax.set(yscale="log", ylim=(1e-10, 30))
axes[0].set_ylabel("rise of task 1's loss (nats)")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
note = f"{caption}, fresh for each task;\ndomain-incremental, all of task 1's training digits, 95 % bands."
results.save_figure(fig, folder, "quadratic", rises, note)

# %% [markdown]
# ## The outputs still to come


# %%
class HoldRows(methods.Method):
    """From task 2 on these rows of the last layer stay where they are after task 1."""

    def __init__(self, rows):
        self.rows = rows

    def after_task(self, loop):
        head = [*loop.model.weights.items()][-2:]
        self.kept = {name: w.detach()[:, self.rows].clone() for name, w in head}

    def after_step(self, loop):
        for name, rows in self.kept.items() if loop.t else ():
            loop.model.weights[name].data[:, self.rows] = rows


# %%
seen = streams.split(images, classes, "class", outputs="seen")
later = [label for group in classes[1:] for label in group]
arms = {("all outputs", 0.0): (methods.Finetune(), shared), ("outputs seen", 0.0): (methods.Finetune(), seen)}
arms["all outputs", 1e8] = methods.EWC(1e8), shared
arms["all outputs, rows held", 1e8] = [methods.EWC(1e8), HoldRows(later)], shared
arms["outputs seen", 1e8] = methods.EWC(1e8), seen
looks, old = {}, torch.isin(images.y_test, torch.tensor(classes[:-1]))
for (arm, strength), (method, stream) in arms.items():
    look = looks[arm, strength] = {}

    def note(loop, look=look, strength=strength):
        if loop.t == len(classes) - 1:
            look["bias"] = loop.model.weights["fc3.bias"].detach()[:, classes[-1]].clone()
            if strength:
                fisher = loop.methods[0].springs.importance["fc3.bias"][:, classes[-1]]
                look["λF"] = strength * fisher.mean(1).cpu().numpy()

    run = train(arm, strength, method, stream, models.mlp, calls=[training.at("before_task", note)])
    answers = training.predict(run.model, images, images.x_test[old]).argmax(2)
    look["called"] = 100 * torch.isin(answers, torch.tensor(classes[-1])).double().mean(1).numpy()
    look["told"] = 100 * training.task_accuracies(run.model, told)[:, :-1].mean(1).numpy()
    look["moved"] = (run.model.weights["fc3.bias"].detach()[:, classes[-1]] - look["bias"]).abs().mean(1).cpu().numpy()

# %%
labels = {key: f"{key[0]}, " + (f"λ = {powers[key[1]]}" if key[1] else "no springs") for key in looks}
columns = {
    "accuracy after\nthe stream (%)": {label: runs[key]["accuracy"] for key, label in labels.items()},
    "accuracy right after\neach task (%)": {label: runs[key]["learned"] for key, label in labels.items()},
    "old digits, told\nthe task (%)": {label: looks[key]["told"] for key, label in labels.items()},
    "old digits called\n9 or 0 (%)": {label: looks[key]["called"] for key, label in labels.items()},
}
fig, axes, table = plots.dot_columns(columns)
plt.setp(axes, xlim=(-4, 104))
note = f"{caption}, fresh for each task; class-incremental, test digits, 95 % intervals."
results.save_figure(fig, folder, "to_come", table, note)

# %% [markdown]
# ## What goes wrong in other people's code


# %%
class Averaged(methods.EWC):
    """The Fisher averaged to one number for the whole network, or (one=False) for each tensor."""

    def __init__(self, strength, one=True):
        super().__init__(strength)
        self.one = one

    def importance_of(self, loop):
        found = super().importance_of(loop)
        mean = torch.cat([f.flatten(1) for f in found.values()], 1).mean(1)
        means = {n: mean if self.one else f.flatten(1).mean(1) for n, f in found.items()}
        return {n: means[n].view(-1, *[1] * (f.ndim - 1)).expand_as(f).clone() for n, f in found.items()}


class AlwaysZero(methods.EWC):
    """The anchor is a reference to the live weights, so that w − w* is zero for ever."""

    def after_task(self, loop):
        super().after_task(loop)
        self.springs.anchor = {name: w.data for name, w in loop.model.weights.items()}


class TrainingMode(methods.EWC):
    """The Fisher pass runs in training mode: batch-norm's statistics follow what is passed through."""

    def importance_of(self, loop):
        loop.model.train()
        with torch.no_grad():
            for part in loop.task.x_train.split(loop.config.batch_size):
                loop.model.on(loop.scaled(part))
        return super().importance_of(loop)


# %%
grid, others = [1e2, 1e4, 1e5, 1e6], range(100, 100 + picking)
variants = {  # label -> network, method
    "EWC as it should be": (two_outputs, methods.EWC),
    "squared batch means": (two_outputs, partial(methods.EWC, fisher="batched")),
    "one scalar a tensor": (two_outputs, partial(Averaged, one=False)),
    "one scalar for all": (two_outputs, Averaged),
    "batch-norm: EWC as it should be": (with_norm, methods.EWC),
    "batch-norm: pass in training mode": (with_norm, TrainingMode),
}
chosen = {}
for name, (build, make) in variants.items():
    for strength in grid:
        train(f"{name}, other seeds", strength, make(strength), build=build, who=others, evaluate="val")
    best = [runs[f"{name}, other seeds", strength]["accuracy"].mean() for strength in grid]
    chosen[name] = grid[int(np.argmax(best))]
    train(name, chosen[name], make(chosen[name]), build=build)
chosen |= {"anchor is the live weights": 1e4, "batch-norm: finetuning": 0.0, "finetuning, fresh": 0.0}
train("anchor is the live weights", 1e4, AlwaysZero(1e4))
train("batch-norm: finetuning", 0.0, methods.Finetune(), build=with_norm)

# %%
shown = ["finetuning, fresh", *list(variants)[:4], "anchor is the live weights", "batch-norm: finetuning"]
shown += list(variants)[4:]
labels = {
    name: name.removesuffix(", fresh") + (f", λ = {powers[chosen[name]]}" if chosen[name] else "") for name in shown
}
columns = {key: {labels[name]: runs[name, chosen[name]][key] for name in shown} for key in measures}
fig, axes, table = plots.dot_columns({measures[key]: columns[key] for key in ("accuracy", "learned", "forgotten")})
note = f"{caption}, fresh for each task; domain-incremental, test digits, 95 % intervals.\nλ chosen on {picking} other seeds and held-out digits."
results.save_figure(fig, folder, "other_libraries", table, note)

# %% [markdown]
# ## What became of the claims

# %%
every = {key: found for key, found in runs.items() if "other seeds" not in key[0]}
numbers = {f"{k}/{arm}, {s:.0e}": values / 100 for (arm, s), found in every.items() for k, values in found.items()}
for (arm, strength), found in looks.items():
    numbers |= {f"{key}/{arm}, {strength:.0e}": found[key] / 100 for key in ("called", "told")}
    numbers |= {f"{key}/{arm}, {strength:.0e}": found[key] for key in ("moved", "λF") if key in found}
for (strength, name), values in put_back.items():
    numbers |= {f"task {t + 1}, {name}/{strength:.0e}": values[:, t] / 100 for t in (0, 1)}
for (strength, kind), table in rises[rises["step"] == rises["step"].max()].groupby(["λ", "loss"]):
    numbers[f"rise, {kind}/{strength:.0e}"] = table.sort_values("seed")["rise"].to_numpy()
for name in shown:
    numbers |= {f"library, {key}/{name}": values / 100 for key, values in runs[name, chosen[name]].items()}
    numbers[f"λ chosen/{name}"] = chosen[name]
claims = results.read_claims("05d", numbers)
Markdown(results.claims_table(claims))

# %%
settings = {key: globals()[key] for key in ("epochs", "batch_size", "lr", "picking", "validation")}
_ = results.save_run(folder, "05d", images.name, settings, range(seeds), numbers, claims)

# %% [markdown]
# ## Exercises

# %%
for strength in (30.0, 300.0, 3000.0, 30000.0):
    for anchor in (0.5, 2.5):
        stiff = strength * 16 * np.exp(-4 * anchor) / (1 + np.exp(-4 * anchor)) ** 2
        print(f"λ = {strength:g}, w* = {anchor}: λF = {stiff:.2g}, ends at {(stiff * anchor - 2.5) / (stiff + 1):.2f}")

# %%
for name, method in {"Fisher": methods.EWC(1.0), "at temperature 2": WarmEWC(1.0)}.items():
    fisher = torch.cat([f.flatten() for f in method.importance_of(loop).values()])
    print(name, [f"λ = {powers[s]}: {(lr * s * fisher < 1).double().mean():.0%} free" for s in strengths])

# %% [markdown]
# ## Takeaways
