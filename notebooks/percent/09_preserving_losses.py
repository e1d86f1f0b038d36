# %% [markdown]
# OPENING
#
# Before: [08b · What a filter's picture says](08b_filter_pictures.ipynb) · Next: [09b · Where the network looks](09b_saliency_drift.ipynb)

# %%
import inspect
from dataclasses import replace
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown

from cf_utils import checkpoint, claims, data, methods, metrics, models, plots, results, saliency, streams, training
from cf_utils.methods import controls

plots.style()

# %% tags=["parameters"]
dataset = "mnist-5k"  # 5,000 digits, no download; "cifar10": as in the source
train_images = 1000  # training images used, of all ten classes; None: all
test_images = 1000  # test images used, the same; None: all
seeds = 2  # networks of each arm
width = 4  # filters of the first two convolutions (64 in the source), of the next two twice as many
hidden = 64  # units of the hidden layer (256 in the source)
epochs = 3  # passes over each task (num_epochs in the source: 8)
batch_size = 16  # 64 in the source
lr = 3e-3  # of Adam, one for the whole stream (1e-3 in the source)
buffer_size = 60  # samples stored of each task (1,000 in the source)
replayed = 8  # of them, joined to each batch (32 in the source)
apr_lambda = 0.2  # strength of APR (saliency_lambda in the source, for both)
apr_samples = 5  # samples of each earlier class (num_samples_per_class in the source, for both)
apr_tried = [0.02, 2.0]  # other strengths of APR
spl_lambda = 65.0  # strength of SPL
spl_samples = 6  # samples of each earlier class
spl_tried = [6.5, 650.0]  # other strengths of SPL
noise_std = 0.09  # of SPL's noise, in deviations of the pixels
saliency_threshold = 0.6  # above it a pixel is salient
threads = 1  # CPU threads
out = ""  # folder for figures, results and networks; empty: out/09_preserving_losses

# %%
folder = results.output_folder(out, "09_preserving_losses")
images = data.load(dataset, train=train_images)
count = len(images.y_test) if test_images is None else test_images
some = torch.arange(count) * len(images.y_test) // count  # of all classes, however they are sorted
images = replace(images, x_test=images.x_test[some], y_test=images.y_test[some])
stream = streams.split(images, [[0, 1, 2], [3, 4, 5], [6, 7, 8]], "class")
config = training.TrainConfig(epochs, batch_size, lr, "adam", weight_decay=0.0, threads=threads)
channels, _, side = images.x_train.shape[1:]
build = partial(models.small_vgg, len(images.classes), side, width, hidden, channels)
in_task = len(stream.tasks[0].y_train)
caption = f"{images.name}, {in_task:,} training images a task, {seeds} seeds, {epochs} epochs a task, width {width}"
names = [f"task {t + 1}" for t in range(3)]
memory = {"memory": buffer_size, "batch": replayed, "per_task": True}
places = ["act3", "conv4", "act4", "fc5", "act5", "fc6", "fc6"]  # the source's; fc6: the logits


def kept(place, method, **options):
    """A run of ten outputs over the three tasks, read from disk if it is there."""
    return checkpoint.kept(folder / "runs" / place, build, method, stream, config, range(seeds), **options)


# %%
first = kept("first", methods.Finetune(), until=1)
x = torch.stack([stream.tasks[0].x_train[stream.tasks[0].y_train == c][:2] for c in range(3)]).flatten(0, 1)
model = first.model.to(training.pick_device())
scaled = images.scale(x).to(next(model.parameters()).device)
maps = saliency.grad_cam(
    model, model.share(scaled), torch.arange(3).repeat_interleave(2).expand(seeds, -1).to(scaled.device), "conv4"
)
mask = torch.nn.functional.interpolate(maps[:1].cpu(), x.shape[-2:], mode="bilinear")[0] > saliency_threshold
noise = 255 * torch.rand(x.shape, generator=torch.Generator().manual_seed(0))
pictures = {
    "a stored image": x,
    "where it looks": maps[0].cpu(),
    "noise, outside of it": torch.where(mask.unsqueeze(1), x, noise),
}

# %%
fig, axes = plt.subplots(3, 6, figsize=(9, 4.6))
for line, (title, of) in zip(axes, pictures.items(), strict=True):
    for ax, picture in zip(line, of, strict=True):
        flat = picture.movedim(0, -1).squeeze(-1).byte() if picture.ndim == 3 else picture
        ax.imshow(flat, cmap="magma" if picture.ndim == 2 else "gray")
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(title, rotation=0, ha="right", va="center")
table = pd.DataFrame({"salient share": mask.double().mean((1, 2))})
note = f"After task 1, seed 0. SPL: noise outside of the bright parts shall change nothing (its noise is {noise_std:g} deviations; here it is drawn full).\nAPR: what layers answer to the first row shall stay as it is. {images.name}."
results.save_figure(fig, folder, "idea", table, note)

# %% [markdown]
# ## The idea
#
# Replay joins stored old images to every batch. The write-up that we start from adds a loss on a few of them: $n$ stored images of each earlier class
# that the network gets right as a new task begins.
#
# $$\text{APR:}\quad \lambda \sum_{l} \overline{\big(h_l(x) - h_l^\text{then}(x)\big)^2} \qquad
# \text{SPL:}\quad \lambda\,\tfrac{3}{N}\; \overline{\big(h(x) - h(x + \sigma\,\varepsilon\,(1 - M))\big)^2}$$
#
# **APR**, activation-preserving: activations $h_l$ at six places shall stay what they were. The last place is the logits, and counts twice.
#
# **SPL**, saliency-preserving: what the last convolution makes of an image shall not change when noise $\varepsilon$ falls outside of $M$, the part that was salient as the task began (Grad-CAM above $\tau$). $N$ is the number of images in all.
# Both sides are of the network as it is now, so SPL holds nothing of the past but where to look.
#
# The write-up has one run of each: 45.8 % for replay, 59.5 % with APR, 57.4 % with SPL. Is that the loss, the samples, or the compute? The whole of APR, as every comparison uses it:

# %%
Markdown(f"```python\n{inspect.getsource(methods.APR)}```")

# %% [markdown]
# ## The loss, the samples, or the compute?
#
# Three controls stand beside replay, APR and SPL:
#
# - **labels**: APR's samples and its extra pass, but with their cross-entropy in place of the distances;
# - **more replay**: as many more stored images in each batch as APR looks at in the last task;
# - **SPL without the map**: noise everywhere.
#
# Finetuning is the floor. *All at once*, one network on all three tasks, is the ceiling. All arms share one training on task 1.
# Replay is APR at λ = 0 (a test holds them to be the same, bit by bit), so that the way its activations go is measured beside it.
#
# **Prediction (source).** APR and SPL win 14 and 12 points on replay, on the old tasks most. **Ours.** Were it the samples, labels would win as much;
# were it the compute, more replay would.


# %%
class Terms(methods.Method):
    """Keeps after each epoch a method's term in nats, and how far its samples moved at each place, ``[seeds]`` each."""

    def __init__(self):
        self.term, self.moved = [], {}

    def after_epoch(self, loop):
        held = loop.methods[0]
        if getattr(held, "samples", None) is None:
            return
        self.term.append(held.penalty(loop, None, None).detach())
        _, now = methods.preserve.look(loop.model, held.samples[0], held.kept_at)
        weight = held.samples[2] / held.samples[2].sum(1, keepdim=True).clamp(min=1)
        for place in now:
            square = (now[place] - held.then[place]).square().flatten(2).mean(2)
            self.moved.setdefault(place, []).append((weight * square).sum(1).detach())


# %%
apr = partial(methods.APR, **memory, per_class=apr_samples)
spl = partial(methods.SPL, place="conv4", noise_std=noise_std, per_class=spl_samples, **memory)
more = memory | {"batch": replayed + apr_samples * 6}  # six old classes in the last task
alone = [place for place in dict.fromkeys(places) if place != "fc6"]
arms = {
    "finetuning": methods.Finetune(),
    "replay": apr(0.0, places=places),
    "more replay": methods.Replay(**more),
    "labels": controls.Labels(1.0, **memory, per_class=apr_samples),
    "APR": apr(apr_lambda, places=places),
    "SPL": spl(spl_lambda, saliency_threshold=saliency_threshold),
    "SPL without the map": spl(spl_lambda, saliency_threshold=1.0),
}
others = {f"APR, λ = {s:g}": apr(s, places=places) for s in apr_tried}
others |= {f"SPL, λ = {s:g}": spl(s, saliency_threshold=saliency_threshold) for s in spl_tried}
others |= {f"{place} alone": apr(apr_lambda, places=[place]) for place in [*alone, "fc6"]}


def train(name, strength=None):
    """The run of an arm; "PLACE matched" is APR there alone, at a strength of its own."""
    place = name.replace(", ", "_").replace(" = ", "_").replace(" ", "_")
    if name == "all at once":
        joint = streams.joint(stream)
        return checkpoint.kept(folder / "runs" / place, build, methods.Finetune(), joint, config, range(seeds))
    method = apr(strength, places=[name.split()[0]]) if strength else (arms | others)[name]
    return kept(place, [method, Terms()], first=first)


# %% tags=["train"]
runs = {
    name: run for (name,), run in checkpoint.train_all(train, [(n,) for n in [*arms, "all at once", *others]]).items()
}
moved = {place: torch.stack(of).double().mean().item() for place, of in runs["replay"].methods[1].moved.items()}
matched = {place: float(f"{apr_lambda * moved['fc6'] / moved[place]:.3g}") for place in alone}
found = checkpoint.train_all(train, [(f"{place} matched", strength) for place, strength in matched.items()])
runs |= {name: run for (name, _), run in found.items()}

# %%
accuracy = {name: run.accuracy for name, run in runs.items() if name != "all at once"}
theirs = {"replay": (31.5, 16.9, 89.1), "APR": (48.6, 35.5, 94.6), "SPL": (46.8, 30.8, 94.7)}
columns = {
    f"{task}, at the end (%)": {name: 100 * accuracy[name][:, -1, t] for name in arms} for t, task in enumerate(names)
}
columns["mean of the tasks (%)"] = {name: 100 * metrics.average_accuracy(accuracy[name]) for name in arms}
fig, axes, table = plots.dot_columns(columns)
for ax, t in zip(axes, (0, 1, 2, None), strict=True):
    of = [np.mean(theirs[name]) if t is None else theirs[name][t] for name in theirs]
    ax.plot(of, [[*arms].index(name) for name in theirs], "D", ms=8, mfc="none", mec="0.3")
note = f"{caption}. Test images, ten outputs; 95 % intervals. Open diamonds: the source's one run."
results.save_figure(fig, folder, "arms", table, note)

# %% [markdown]
# READING-ARMS
#
# Has every network learned? Each task right after it was trained, and the ceiling:

# %%
shown, state = stream.images.x_test[:300], {}
for name in arms:
    model = runs[name].model.to(training.pick_device())
    answers = [of.unique().numel() for of in training.predict(model, images, shown).argmax(2)]
    state[name] = {
        f"{task}, right after it (%)": results.plus_minus(100 * accuracy[name][:, t + 1, t])
        for t, task in enumerate(names)
    }
    state[name]["mean at the end (%)"] = results.plus_minus(100 * metrics.average_accuracy(accuracy[name]))
    state[name]["classes answered at the end"] = f"{min(answers)} to {max(answers)}"
state["all at once"] = {"mean at the end (%)": results.plus_minus(100 * runs["all at once"].accuracy[:, -1, 0])}
pd.DataFrame(state).T.fillna("")

# %%
rows = {"accuracy (%)": {name: 100 * accuracy[name][:, 1:, 0].numpy() for name in arms}}
panels = [["finetuning", "replay", "more replay", "labels"], ["replay", "APR", "SPL", "SPL without the map"]]
fig, table = plots.over_tasks(rows, panels, names)
fig.suptitle("test images of task 1")
results.save_figure(fig, folder, "first_task", table, f"{caption}; 95 % bands.")

# %% [markdown]
# READING-FIRST
#
# ## Which place matters?
#
# APR with one place at a time, in the order of the network: act3, the ReLU before the last convolution conv4; fc5, the hidden layer; fc6, the logits, counted once here.
#
# One λ is not one strength for all, since activations differ in size. So each place below the logits runs twice: at the source's λ, and at a λ that makes its term as large as the logits', had nothing been held
# (the squared way of each place under replay alone).
#
# **Prediction.** The logits alone win most of APR's gain; the others win less even when matched.

# %%
gain = {
    name: 100 * (metrics.average_accuracy(a) - metrics.average_accuracy(accuracy["replay"]))
    for name, a in accuracy.items()
}
rows = {"at the source's λ": {p: gain[f"{p} alone"] for p in [*alone, "fc6"]} | {"all places (APR)": gain["APR"]}}
rows["at a matched λ"] = {place: gain[f"{place} matched"] for place in alone}
fig, axes, table = plots.arm_columns({"accuracy won on replay (points)": rows})
axes[0].axvline(0, color="0.4", ls=":", lw=1)
fig.set_size_inches(7.5, 4.4)
note = f"{caption}.\nMean of the tasks at the end, minus replay's, seed by seed; 95 % intervals. λ of the matched: "
note += ", ".join(f"{place} {value:g}" for place, value in matched.items())
results.save_figure(fig, folder, "places", table, note)

# %% [markdown]
# READING-PLACES
#
# ## How strong?
#
# λ over decades, against how large the term then is: in nats, as it stands beside the cross-entropy at the end of an epoch.
#
# **Prediction.** The source searched near its λ: more of it holds more and learns less.

# %%
strengths = {"APR": sorted([apr_lambda, *apr_tried]), "SPL": sorted([spl_lambda, *spl_tried])}
measures = {
    "accuracy at the end,\nmean of the tasks (%)": metrics.average_accuracy,
    "accuracy right after\neach task (%)": metrics.learning_accuracy,
    "forgetting (points)": metrics.forgetting,
}
term = {
    name: torch.stack(run.methods[1].term).double().mean(0)
    for name, run in runs.items()
    if name != "all at once" and run.methods[1].term
}
fig, axes = plt.subplots(1, 3, figsize=(11, 3.6))
tables = []
for ax, (label, measure) in zip(axes, measures.items(), strict=True):
    for i, (kind, of) in enumerate(strengths.items()):
        arm = {s: kind if s in (apr_lambda, spl_lambda) else f"{kind}, λ = {s:g}" for s in of}
        values = np.stack([100 * measure(accuracy[arm[s]]).numpy() for s in of], 1)
        nats = [term[arm[s]].mean().item() for s in of]
        tables.append(plots.band(ax, nats, values, kind, i).assign(measure=" ".join(label.split()), strength=of))
    ax.axhline(100 * float(measure(accuracy["replay"]).mean()), color="0.4", ls=":", lw=1)
    ax.set(xscale="log", xlabel="the term's size (nats)", title=label)
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
note = f"{caption}; 95 % bands. Dotted: replay alone. λ of APR: {strengths['APR']}; of SPL: {strengths['SPL']}."
results.save_figure(fig, folder, "strengths", pd.concat(tables), note)

# %% [markdown]
# READING-STRENGTHS
#
# ## What became of the claims

# %%
numbers = {f"accuracy/{name}": metrics.average_accuracy(a) for name, a in accuracy.items()}
numbers["accuracy/all at once"] = runs["all at once"].accuracy[:, -1, 0]
for name, a in accuracy.items():
    numbers |= {f"learned/{name}": metrics.learning_accuracy(a), f"forgetting/{name}": metrics.forgetting(a)}
    numbers |= {f"{task}/{name}": a[:, -1, t] for t, task in enumerate(names)}
    numbers |= {f"{task} right after/{name}": a[:, t + 1, t] for t, task in enumerate(names)}
    numbers |= {f"task 1 after {task}/{name}": a[:, t + 1, 0] for t, task in enumerate(names)}
    numbers[f"gain/{name}"] = gain[name] / 100
numbers |= {f"term/{name}": value for name, value in term.items()}
numbers |= {f"matched λ/{place}": value for place, value in matched.items()}
numbers["gain/SPL, strongest"] = gain[f"SPL, λ = {max(spl_tried):g}"] / 100
numbers["gain/best matched place"] = torch.stack([gain[f"{place} matched"] for place in alone]).max(0).values / 100
verdicts = claims.read_claims("09", numbers)
Markdown(claims.claims_table(verdicts))

# %%
keys = ("train_images", "test_images", "width", "hidden", "epochs", "batch_size", "lr", "buffer_size", "replayed")
keys += ("threads", "apr_lambda", "apr_samples", "apr_tried", "spl_lambda", "spl_samples", "spl_tried")
settings = {key: globals()[key] for key in (*keys, "noise_std", "saliency_threshold")}
_ = results.save_run(folder, "09", images.name, settings, range(seeds), numbers, verdicts)

# %% [markdown]
# TAKEAWAYS
