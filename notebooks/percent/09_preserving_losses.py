# %% [markdown]
# # 09 · Losses that preserve activations or saliency
#
# **On top of replay, does a loss on old activations or on old saliency maps help, and is it the loss that helps or its extra samples?**
#
# **Answer (TODO after the run; this is the earlier, smaller run's).** Over three tasks replay ends at 23.0%<!--=09 accuracy/replay as .1%-->, with the activation-preserving loss (APR) at 36.7%<!--=09 accuracy/APR as .1%-->, with labels of
# the same samples at 35.2%<!--=09 accuracy/labels as .1%-->: we cannot tell the last two apart. APR's gain comes from the network's outputs;
# holding the layers below them shows none. The saliency-preserving loss (SPL) shows no gain, but weighs so little in
# networks this small that it is hardly tested.
#
# **Images, steps and stored samples are the source's, the network is half as wide.** Five seeds stand in place of its
# one. What only turns dials is trained on a third of the images, three seeds each.
#
# *Numbers in the text are those of the full run: CIFAR-10 as a JPEG copy, five seeds, TODO hours on one core, whose numbers lie in notebooks/measured. At quick settings the notebook takes about a minute on two cores, on digits.*
#
# Before: [08b · What a filter's picture says](08b_filter_pictures.ipynb) · Next: [09b · Where the network looks](09b_saliency_drift.ipynb)

# %% [markdown]
# ## The idea
#
# *Replay* joins stored images of earlier tasks to every batch. The write-up that we start from ("Activation Preserving
# Loss") adds a second loss, on $n$ stored images of each earlier class. They are chosen as a new task begins, among
# those that the network then gets right.
#
# $$\text{APR:}\quad \lambda \sum_{l} \overline{\big(h_l(x) - h_l^\text{then}(x)\big)^2}, \qquad
# \text{SPL:}\quad \lambda\,\tfrac{3}{N}\; \overline{\big(h(x) - h(x + \sigma\,\varepsilon\,(1 - M))\big)^2}.$$
#
# **APR, *activation-preserving*, holds answers.** What the network makes of these images at six places $l$, its
# *activations* $h_l$, shall stay as it was. The last place is the *logits*, the ten outputs before the softmax. They count
# twice. λ is the strength.
#
# **SPL, *saliency-preserving*, holds a region.** A *Grad-CAM* map (Selvaraju et al. 2016) marks where an image raises the
# output of its class. Where the map was above τ as the task began, the mask $M$ is 1. Noise $\varepsilon$ of size σ falls
# on the rest, and shall not change the last convolution's answer $h$. $N$ is the number of samples.
#
# **SPL keeps nothing of the past but that mask.** Both answers are the present network's. It is asked to ignore the rest
# of the image, not to answer as before.
#
# The write-up has one run of each: 45.8 % for replay, 59.5 % with APR, 57.4 % with SPL. Its replay had neither the extra
# samples nor the extra compute.

# %%
import inspect
from dataclasses import replace
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from torch.nn import functional as F

from cf_utils import (
    checkpoint,
    claims,
    data,
    methods,
    metrics,
    models,
    plots,
    results,
    saliency,
    streams,
    training,
)
from cf_utils.files import ROOT
from cf_utils.methods import controls

plots.style()

# %% tags=["parameters"]
dataset = "mnist-5k"  # 5,000 digits, no download; "cifar10": as in the source
train_images = 1000  # training images used, of all ten classes
test_images = 1000  # test images used, the same
seeds = 2  # networks of each main arm
width = 4  # filters of the first two convolutions (64 in the source), of the next two twice as many
hidden = 64  # units of the hidden layer (256 in the source)
epochs = 3  # passes over each task (num_epochs in the source: 8)
batch_size = 16  # 64 in the source
lr = 3e-3  # of Adam, one for the whole stream (1e-3 in the source)
buffer_size = 60  # samples stored of each task (1,000 in the source)
replayed = 8  # of them, joined to each batch (32 in the source)
apr_lambda = 0.2  # strength of APR (saliency_lambda in the source, for both)
apr_samples = 5  # samples of each earlier class (num_samples_per_class in the source, for both)
spl_lambda = 65.0  # strength of SPL
spl_samples = 6  # samples of each earlier class
noise_std = 0.09  # of SPL's noise, in deviations of the pixels
saliency_threshold = 0.6  # above it a pixel is salient
small_images = 400  # training images for places, strengths and dials
small_buffer = 24  # samples stored of each task there
small_seeds = 1  # networks of each arm there
apr_tried = [0.02, 2.0]  # other strengths of APR, there
spl_tried = [6.5, 650.0]  # other strengths of SPL, there
measured = ""  # folder in notebooks/ where runs leave their numbers; empty: one in ``out``
threads = 1  # CPU threads
out = ""  # folder for figures, results and networks; empty: out/09_preserving_losses

# %% [markdown]
# ## Stream and network
#
# Three tasks of three classes each, and one set of ten outputs for all (*class-incremental*). The network has the source's
# form: two 3×3 convolutions, pooling, two more, pooling, a hidden layer; ReLU throughout, no norm.
#
# | | here, full run | source | places, strengths, dials |
# |---|---|---|---|
# | training images a class | 5,000 | 5,000 | some 1,670 |
# | filters of the four convolutions | 32, 32, 64, 64 | 64, 64, 128, 128 | 32, 32, 64, 64 |
# | epochs a task | 8 | 8 | 8 |
# | training steps a task | some 1,880 | some 1,880 | some 630 |
# | images stored of each task | 1,000, 7 % of it | 1,000, 7 % of it | 333, 7 % of it |
# | runs | five seeds | one | three seeds |
#
# Seeds differ in initial weights, order and stored images; the images are the same. Accuracies are on 3,000 test images
# of each task, among all ten outputs.
#
# Each run leaves its accuracies and a few numbers, not its network, in `notebooks/measured`. What lies there is read in
# place of training.

# %%
folder = results.output_folder(out, "09_preserving_losses")
left = ROOT / "notebooks" / measured if measured else folder / "runs" / "measured"


def three_tasks(train):
    """The stream on so many training images."""
    images = data.load(dataset, train=train)
    some = torch.arange(test_images) * len(images.y_test) // test_images  # of all classes
    images = replace(images, x_test=images.x_test[some], y_test=images.y_test[some])
    return streams.split(images, [[0, 1, 2], [3, 4, 5], [6, 7, 8]], scenario="class")


stream, small_stream = three_tasks(train_images), three_tasks(small_images)
images, names = stream.images, [f"task {t + 1}" for t in range(3)]
channels, _, side = images.x_train.shape[1:]
build = partial(models.small_vgg, len(images.classes), side, width, hidden, channels)
config = training.TrainConfig(
    epochs, batch_size, lr, optimizer="adam", weight_decay=0.0, threads=threads
)
ending = f"{epochs} epochs a task, width {width}"
caption = f"{images.name}, {train_images:,} training images, {seeds} seeds, {ending}"
small_caption = f"{images.name}, {small_images:,} training images, {small_seeds} seeds, {ending}"

# %%
pd.DataFrame(
    [
        {
            "task": one.name,
            "train": len(one.y_train),
            "in the small runs": len(few.y_train),
            "test": len(one.y_test),
        }
        for one, few in zip(stream.tasks, small_stream.tasks, strict=True)
    ]
)

# %% [markdown]
# ## The method
#
# This is all of APR, as every comparison uses it:

# %%
Markdown(f"```python\n{inspect.getsource(methods.APR)}```")

# %%
common = {
    key: globals()[key]
    for key in ("dataset", "width", "hidden", "epochs", "batch_size", "lr", "test_images")
} | {"images": images.name}


def kept(place, method, on, seed, **options):
    """One network's run, kept beside the figures."""
    place = folder / "runs" / f"{place}, seed {seed}"
    return checkpoint.kept(place, build, method, on, config, [seed], **options)


def first(seed, on=stream):
    """The run on the first task, where all arms are the same."""
    place = "first" if on is stream else "first, small"
    return kept(place, methods.Finetune(), on, seed, until=1)


def look():
    """Grad-CAM maps of six training images after task 1."""
    ((model, x, y),) = [(run.model, *shown) for run in checkpoint.train_all(first, [(0,)]).values()]
    return saliency.grad_cam(model, model.share(images.scale(x)), y.unsqueeze(0), "conv4")[0]


# %% [markdown]
# **What both losses see.** Six images of the first task, seed 0 after learning it:

# %%
task = stream.tasks[0]
of_class = [torch.nonzero(task.y_train == c)[:2, 0] for c in range(3)]
shown = [part[torch.cat(of_class)] for part in (task.x_train, task.y_train)]
settings = common | {"train_images": train_images}
maps = checkpoint.kept_result(left / "maps.pt", settings, look)
x = shown[0]
salient = (maps > saliency_threshold).float().unsqueeze(1)
free = 1 - F.interpolate(salient, x.shape[-2:], mode="bilinear")
noise = 255 * torch.rand(x.shape, generator=torch.Generator().manual_seed(0))
pictures = {"a stored image": x, "where the\nnetwork looks": maps}
pictures["noise where\nit does not"] = x * (1 - free) + noise * free
fig, axes = plt.subplots(3, 6, figsize=(9, 4.6))
for line, (title, of) in zip(axes, pictures.items(), strict=True):
    for ax, picture in zip(line, of, strict=True):
        flat = picture if picture.ndim == 2 else picture.movedim(0, -1).squeeze(-1).byte()
        ax.imshow(flat, cmap="magma" if picture.ndim == 2 else "gray")
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(title, rotation=0, ha="right", va="center")
table = pd.DataFrame({"class": shown[1], "salient share": salient.mean((1, 2, 3))})
note = "APR: the first row's activations shall stay. SPL: what is between first and third row shall not matter"
note += f" (noise of {noise_std:g} deviations; here it is drawn full). {images.name}, seed 0."
results.save_figure(fig, folder, "idea", table, note)

# %% [markdown]
# ## The loss, the samples, or the compute?
#
# APR shows old samples once more at each step. Three controls tell what is due to the losses:
#
# - *labels*: APR's samples in an extra pass, with cross-entropy on their labels (weight 1) in place of the distances;
# - *more replay*: 30 more stored images in each batch, as many as APR has in the last task. Half of the batch is then old,
#   not a third;
# - *SPL without the map*: noise everywhere, and so more of it.
#
# Finetuning is trained without replay. *All at once*, one network on all tasks together, is the ceiling. The source
# searched its losses' settings; our controls are not tuned.
#
# **Prediction (source).** APR and SPL gain 14 and 12 points on replay, most of them on old tasks.
#
# **Ours.** Both losses beat labels and more replay, and SPL does worse without its map. Should labels do as well, it is the
# samples that help; should more replay, it is the compute.


# %%
class Terms(methods.Method):
    """Records a method's term in nats as a task begins and after each epoch, and how far its samples
    have moved by then, at each place. For one network at a time.
    """

    def __init__(self):
        self.begun, self.term, self.moved = [], [], {}

    def before_task(self, loop):
        if getattr(loop.methods[0], "samples", None) is not None:
            self.begun.append(loop.methods[0].penalty(loop, None, None).item())

    def after_epoch(self, loop):
        held = loop.methods[0]
        if getattr(held, "samples", None) is not None:
            self.term.append(held.penalty(loop, None, None).item())
            _, now = methods.preserve.look(loop.model, held.samples[0], held.kept_at)
            weight = held.samples[2] / held.samples[2].sum().clamp(min=1)
            for place in now:
                square = (now[place] - held.then[place]).square().flatten(2).mean(2)
                self.moved.setdefault(place, []).append((weight * square).sum().item())


# %%
store = {"memory": buffer_size, "batch": replayed, "per_task": True}
small_store = store | {"memory": small_buffer}
places = ["act3", "conv4", "act4", "fc5", "act5", "fc6", "fc6"]  # the source's; fc6: the logits
apr = partial(methods.APR, per_class=apr_samples, places=places)


def spl(
    strength=spl_lambda, threshold=saliency_threshold, noise=noise_std, samples=spl_samples, **of
):
    given = {"noise_std": noise, "saliency_threshold": threshold, "per_class": samples}
    return methods.SPL(strength, place="conv4", **given, **of)


more = store | {"batch": replayed + apr_samples * 6}  # six old classes in the last task
arms = {
    "finetuning": methods.Finetune(),
    "replay": methods.Replay(**store),
    "more replay": methods.Replay(**more),
    "labels": controls.Labels(1.0, per_class=apr_samples, **store),
    "APR": apr(apr_lambda, **store),
    "SPL": spl(**store),
    "SPL without the map": spl(threshold=1.0, **store),
    "all at once": methods.Finetune(),
}
Markdown(f"```python\n{inspect.getsource(controls.Labels)}```")

# %%
alone = list(dict.fromkeys(places))
small = {"replay, small": apr(0.0, **small_store), "APR, small": apr(apr_lambda, **small_store)}
small["SPL, small"] = spl(**small_store)
for place in alone:
    small[f"{place} alone"] = apr(apr_lambda, **small_store | {"places": [place]})
small |= {f"APR, λ = {s:g}": apr(s, **small_store) for s in apr_tried}
small |= {f"SPL, λ = {s:g}": spl(s, **small_store) for s in spl_tried}
dials = {
    "SPL, n = 3": spl(samples=3, **small_store),
    "SPL, τ = 0.5": spl(threshold=0.5, **small_store),
    "SPL, σ = 0.075": spl(noise=0.075, **small_store),
    "SPL, σ = 0.1": spl(noise=0.1, **small_store),
}
small |= dials
below = alone[:-1]  # the logits


def matched(place):
    """The strength that makes a place's term as large as the logits' would be under replay alone."""
    moved = {name: np.mean(of) for name, of in measure("replay, small", 0)["moved"].items()}
    return float(f"{apr_lambda * moved['fc6'] / max(moved[place], 1e-6):.3g}")


# %%
def train(name, seed, method, on):
    """What a run leaves: accuracies, losses, the answers to test images, its method's terms."""
    options = {} if name == "all at once" else {"first": first(seed, on)}
    trained = streams.joint(on) if name == "all at once" else on
    start = partial(kept, name, [method, Terms()], trained, seed, **options)
    if name in arms and trained is on:  # the network between, for 09b and 09c
        between, place = start(until=2), folder / "runs" / f"{name}, seed {seed}, task 2.pt"
        checkpoint.kept_result(place, {}, lambda: between.model.weights)
    run = start()
    x, y = (torch.cat([getattr(t, f"{v}_test") for t in on.tasks]) for v in "xy")
    answers = training.predict(run.model, images, x)[0].argmax(1).cpu()
    outputs = len(images.classes)  # "answers": a row a class, a column an output
    answers = torch.bincount(outputs * y.cpu() + answers, minlength=outputs**2).reshape(outputs, -1)
    loss = [float(epoch["loss"]) for epoch in run.history]
    told = {"accuracy": run.accuracy[0], "answers": answers, "loss": loss}
    return told | {key: getattr(run.methods[1], key) for key in ("begun", "term", "moved")}


def measure(name, seed):
    """``train``, but what a run has left is read."""
    place, on = name.partition(" matched")[0], stream if name in arms else small_stream
    method = (arms | small).get(name) or apr(matched(place), **small_store | {"places": [place]})
    settings = common | {"method": repr(method), "places": getattr(method, "places", None)}
    settings["train_images"] = train_images if on is stream else small_images
    file = f"{name}, seed {seed}.pt".replace("= ", "").replace(", ", "_").replace(" ", "_")
    for letter, word in {"λ": "lambda", "τ": "tau", "σ": "sigma"}.items():
        file = file.replace(letter, word)
    return checkpoint.kept_result(left / file, settings, partial(train, name, seed, method, on))


# %% tags=["train"]
# Seed by seed, so that a run that was stopped has whole seeds; main arms first.
jobs = [(name, seed) for seed in range(seeds) for name in arms]
others = [*small, *(f"{place} matched" for place in below)]
jobs += [(name, seed) for seed in range(small_seeds) for name in others]
found = checkpoint.train_all(measure, jobs)

# %%
of = {name: [found[job] for job in jobs if job[0] == name] for name in [*arms, *others]}
accuracy = {name: torch.stack([one["accuracy"] for one in of[name]]) for name in of}
answers = {name: torch.stack([one["answers"] for one in of[name]]) for name in arms}
right = answers["all at once"].diagonal(0, 1, 2)[:, :9].unflatten(1, (3, 3)).sum(2)
ceiling = right / answers["all at once"].sum(2)[:, :9].unflatten(1, (3, 3)).sum(2).double()
del accuracy["all at once"]
gain = {}
for name, a in accuracy.items():
    baseline = accuracy["replay" if name in arms else "replay, small"]
    gain[name] = metrics.average_accuracy(a) - metrics.average_accuracy(baseline)
main = [name for name in arms if name in accuracy]
term = {n: torch.tensor([np.mean(one["term"]) for one in of[n]]) for n in of if of[n][0]["term"]}
begun = {n: torch.tensor([one["begun"] for one in of[n]]) for n in of if of[n][0]["begun"]}

# %% [markdown]
# **A check that a reader can believe.** As a task begins nothing has changed yet, so APR's term must be zero. As training
# goes on it must not be. In *nats*, as the cross-entropy beside it:

# %%
pd.DataFrame(
    {
        name: {
            "as task 2 begins": f"{begun[name][:, 0].mean():.2g}",
            "as task 3 begins": f"{begun[name][:, 1].mean():.2g}",
            "mean over epochs": f"{term[name].mean():.2g}",
        }
        for name in ("APR", "SPL", "SPL without the map")
    }
).T

# %% [markdown]
# **Has every network learned?** Each task right after it was trained, and how many of the ten outputs are the answer to
# 1 % or more of the test images at the end:

# %%
state = {}
for name in main:
    times = answers[name].sum(1)  # each output was the answer
    several = (times > times.sum(1, keepdim=True) / 100).sum(1)
    state[name] = {
        f"{task}, right after it (%)": results.plus_minus(100 * accuracy[name][:, t + 1, t])
        for t, task in enumerate(names)
    }
    state[name]["outputs answered"] = f"{several.min()} to {several.max()}"
pd.DataFrame(state).T

# %%
theirs = {"replay": (31.5, 16.9, 89.1), "APR": (48.6, 35.5, 94.6), "SPL": (46.8, 30.8, 94.7)}
columns = {
    f"{task}, at the end (%)": {n: 100 * accuracy[n][:, -1, t] for n in main}
    | {"all at once": 100 * ceiling[:, t]}
    for t, task in enumerate(names)
}
columns["mean of the tasks (%)"] = {n: 100 * metrics.average_accuracy(accuracy[n]) for n in main}
columns["mean of the tasks (%)"]["all at once"] = 100 * ceiling.mean(1)
fig, axes, table = plots.dot_columns(columns)
for t, ax in enumerate(axes):
    values = [of_task[t] if t < 3 else np.mean(of_task) for of_task in theirs.values()]
    ax.plot(values, [main.index(name) for name in theirs], "D", ms=8, mfc="none", mec="0.3")
note = f"{caption}. Test images, ten outputs; 95 % intervals. Open diamonds: the source's one run."
results.save_figure(fig, folder, "arms", table, note)

# %%
rows = {"accuracy (%)": {name: 100 * accuracy[name][:, 1:, 0].numpy() for name in main}}
panels = [
    ["finetuning", "replay", "more replay", "labels"],
    ["replay", "APR", "SPL", "SPL without the map"],
]
fig, table = plots.over_tasks(rows, panels, names)
fig.suptitle("test images of task 1")
results.save_figure(fig, folder, "first_task", table, f"{caption}; 95 % bands.")

# %% [markdown]
# *TODO after the run: what follows until the next heading is of the earlier run, at width 12 with a tenth of the images.*
#
# **APR gains on replay: 13.7% ± 5.7%<!--=09 gain/APR as ±.1%--> on average.** The source's one run gained 13.7 points. Whether both are the same is
# undecided: five seeds fix ours only to within six points either way.
#
# **The gain is in old tasks.** At the end 28%<!--=09 task 1/APR as .0%--> of the first task is right, with replay 3%<!--=09 task 1/replay as .0%-->. Of the second it is
# 19%<!--=09 task 2/APR as .0%-->, with replay 0%<!--=09 task 2/replay as .0%-->. On the last task we see no difference.
#
# **Plain labels do as well, as far as we can tell.** The same samples' labels end at 35.2% ± 0.5%<!--=09 accuracy/labels as ±.1%-->, APR at 36.7% ± 2.7%<!--=09 accuracy/APR as ±.1%-->; which is
# ahead is undecided. So most of APR's gain can be had without its loss.
#
# **More replay gets most of the way.** It ends at 32.4% ± 2.5%<!--=09 accuracy/more replay as ±.1%-->, behind APR. It holds the first task as well, but keeps only 6%<!--=09 task 2/more replay as .0%--> of
# the second. Whatever gives old images more weight seems to help here.
#
# **Replay is a weak baseline at this size.** In the second task each stored image is shown some 15 times, at the source's
# size some 60 times. Finetuning has collapsed: of the last task it gets 33.3%<!--=09 task 3/finetuning as .1%--> right in every seed, as one
# answer for all images would.
#
# **SPL shows no gain.** It ends at 23.4% ± 2.2%<!--=09 accuracy/SPL as ±.1%-->, without its map at 22.8% ± 3.7%<!--=09 accuracy/SPL without the map as ±.1%-->. Labels and more replay are clearly ahead of it.
#
# **But SPL is hardly tested here.** As the second task begins its term is 0.0005<!--=09c term as task 2 begins/SPL as .4f--> *nats* (notebook 09c). The
# cross-entropy beside it, in the same unit, is over a thousand times larger. A network of the source's size may feel more.

# %% [markdown]
# ## Which place holds the gain?
#
# APR with one place at a time, in the order of the network: act3 is the ReLU before the last convolution conv4, and fc6 the
# logits, counted once here. From here on arms are trained on a third of the images, and compared with replay and APR
# trained so too.
#
# **One λ is not one strength for all,** since activations differ in size. So each place below the logits runs twice: at
# the source's λ, and at one that makes its term as large as the logits', had nothing been held (by the squared way of each
# place under replay alone, seed 0).
#
# **Prediction.** The logits alone win more than half of APR's gain. The last convolution alone wins something. No place
# below the logits wins half of APR's gain, even matched.

# %%
rows = {"at the source's λ": {p: 100 * gain[f"{p} alone"] for p in alone}}
rows["at the source's λ"]["all places (APR)"] = 100 * gain["APR, small"]
rows["at a matched λ"] = {place: 100 * gain[f"{place} matched"] for place in below}
fig, axes, table = plots.arm_columns({"accuracy won on replay (points)": rows})
axes[0].axvline(0, color="0.4", ls=":", lw=1)
fig.set_size_inches(7.5, 4.4)
lambdas = {place: matched(place) for place in below}
note = f"{small_caption}.\nMean of the tasks at the end, minus replay's, seed by seed; 95 % intervals.\nλ of the matched: "
note += ", ".join(f"{place} {value:g}" for place, value in lambdas.items())
results.save_figure(fig, folder, "places", table, note)

# %% [markdown]
# *TODO after the run: what follows until the next heading is of the earlier run, at width 12 with a tenth of the images.*
#
# **The logits hold all of the gain that we see.** Alone they end at 36.9% ± 2.5%<!--=09 accuracy/fc6 alone as ±.1%-->, all places together at 36.7% ± 2.7%<!--=09 accuracy/APR as ±.1%-->. So in effect
# this is a loss on outputs, as in dark experience replay (Buzzega et al.).
#
# **The five places below show none.** Each ends within two points of replay's 23.0%<!--=09 accuracy/replay as .1%-->, the last convolution too. But
# intervals of their gains reach three to seven points either way, and we have not tried a larger λ for them.

# %% [markdown]
# ## How strong should the loss be?
#
# λ over decades. Below the figure: how large the term then is, in nats, as it stands beside the cross-entropy.
#
# **Prediction.** The source searched near its λ, so less of it gains less. More of it keeps more and learns less. SPL gains
# something once its term is felt.

# %%
strengths = {"APR": sorted([apr_lambda, *apr_tried]), "SPL": sorted([spl_lambda, *spl_tried])}
measures = {
    "accuracy at the end,\nmean of the tasks (%)": metrics.average_accuracy,
    "accuracy right after\neach task (%)": metrics.learning_accuracy,
    "forgetting (points)": metrics.forgetting,
}
fig, axes = plt.subplots(1, 3, figsize=(11, 3.6))
tables, own = [], {"APR": apr_lambda, "SPL": spl_lambda}
note = f"{small_caption}; 95 % bands. Dotted: replay alone. The term in nats, by λ:"
for i, (kind, tried) in enumerate(strengths.items()):
    arm = [f"{kind}, small" if s == own[kind] else f"{kind}, λ = {s:g}" for s in tried]
    nats = [f"{s:g}: {term[name].mean():.2g}" for s, name in zip(tried, arm, strict=True)]
    note += f"\n{kind} {', '.join(nats)}"
    for ax, (label, of_run) in zip(axes, measures.items(), strict=True):
        values = np.stack([100 * of_run(accuracy[name]).numpy() for name in arm], 1)
        drawn = plots.band(ax, [s / own[kind] for s in tried], values, kind, i)
        tables.append(drawn.assign(measure=" ".join(label.split())))
for ax, (label, of_run) in zip(axes, measures.items(), strict=True):
    ax.axhline(100 * of_run(accuracy["replay, small"]).mean().item(), color="0.4", ls=":", lw=1)
    ax.set(xscale="log", xlabel="λ / λ of the source", title=label)
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
results.save_figure(fig, folder, "strengths", pd.concat(tables), note)

# %% [markdown]
# **And the other dials?** The source searched SPL's samples $n$, its threshold τ and its noise σ. These are its other values:

# %%
rows = {name: 100 * gain[name] for name in ["SPL, small", *dials]}
fig, axes, table = plots.dot_columns({"accuracy won on replay (points)": rows})
axes[0].axvline(0, color="0.4", ls=":", lw=1)
note = f"{small_caption}; 95 % intervals.\nSPL, small: n = {spl_samples}, τ = {saliency_threshold:g}, σ = {noise_std:g}."
results.save_figure(fig, folder, "dials", table, note)

# %% [markdown]
# *TODO after the run: what follows until the next heading is of the earlier run, at width 12 with a tenth of the images.*
#
# **The source's λ suits APR here too.** A tenth of it ends at 33.0%<!--=09 accuracy/APR, λ = 0.02 as .1%-->, ten times as much at 31.0%<!--=09 accuracy/APR, λ = 2 as .1%-->, the source's own at
# 36.7%<!--=09 accuracy/APR as .1%-->.
#
# **A stronger APR pays with new tasks.** Ten times λ halves forgetting, from 35%<!--=09 forgetting/APR as .0%--> to 16%<!--=09 forgetting/APR, λ = 2 as .0%--> (accuracy lost since its best, old tasks).
# But right after training a task is at 42%<!--=09 learned/APR, λ = 2 as .0%-->, not at 60%<!--=09 learned/APR as .0%-->.
#
# **SPL's λ makes no difference that we see.** Even ten times next to nothing is little. Notebook 09c
# turns up the noise until SPL is felt, and finds no gain there either.
#
# ## Where APR fails
#
# *TODO after the run; of the earlier run:*
#
# **It slows forgetting and does not stop it.** The first task falls from 75%<!--=09 task 1 after task 1/APR as .0%--> right after its training to 28%<!--=09 task 1 after task 3/APR as .0%--> at the end.
# After the second task, whether APR is ahead of replay at all is undecided (47%<!--=09 task 1 after task 2/APR as .0%--> and 40%<!--=09 task 1 after task 2/replay as .0%-->).
#
# ## What became of the claims
#
# *TODO after the run; of the earlier run:*
#
# Most of the source's accuracies are not reproduced. With networks this small that was to be expected, and says nothing
# about its losses. Its gains over replay are undecided: for APR in size, for SPL in sign.

# %%
numbers = {f"accuracy/{name}": metrics.average_accuracy(a) for name, a in accuracy.items()}
for name, a in accuracy.items():
    numbers |= {
        f"learned/{name}": metrics.learning_accuracy(a),
        f"forgetting/{name}": metrics.forgetting(a),
        f"gain/{name}": gain[name],
    }
    numbers |= {f"{task}/{name}": a[:, -1, t] for t, task in enumerate(names)}
    numbers |= {f"{task} right after/{name}": a[:, t + 1, t] for t, task in enumerate(names)}
    numbers |= {f"task 1 after {task}/{name}": a[:, t + 1, 0] for t, task in enumerate(names)}
numbers |= {f"{task}/all at once": ceiling[:, t] for t, task in enumerate(names)}
numbers["accuracy/all at once"] = ceiling.mean(1)
numbers |= {f"term/{name}": value for name, value in term.items()}
numbers |= {f"term as task 2 begins/{name}": value[:, 0] for name, value in begun.items()}
numbers |= {f"matched λ/{place}": value for place, value in lambdas.items()}
numbers["gain/SPL, strongest"] = gain[f"SPL, λ = {max(spl_tried):g}"]
best = torch.stack([gain[f"{place} matched"] for place in below]).max(0).values
numbers["gain/best matched place"] = best
numbers["gain/best dial of SPL"] = torch.stack([gain[name] for name in dials]).max(0).values
verdicts = claims.read_claims("09", numbers, globals())
Markdown(claims.claims_table(verdicts))

# %%
keys = (
    *(
        "train_images",
        "test_images",
        "width",
        "hidden",
        "epochs",
        "batch_size",
        "lr",
        "buffer_size",
    ),
    *("replayed", "threads", "apr_lambda", "apr_samples", "spl_lambda", "spl_samples", "noise_std"),
    *(
        "saliency_threshold",
        "small_images",
        "small_buffer",
        "small_seeds",
        "apr_tried",
        "spl_tried",
    ),
)
settings = {key: globals()[key] for key in keys}
_ = results.save_run(folder, "09", images.name, settings, range(seeds), numbers, verdicts)

# %% [markdown]
# ## Exercises
#
# **1. What does SPL's term begin with?** APR's is zero as a task begins. Guess SPL's before you look at the table above.
# Then turn its noise up, in a new cell:
# `run = training.run_stream(build, [spl(noise=1.0, **store), Terms()], stream, config, [0], until=2)`, then
# `run.methods[1].begun`.
#
# <details><summary>Solution</summary>
#
# It is small, but not zero: noise changes the last convolution's answer at once. Nothing is compared with the past.
#
# </details>
#
# **2. Does replay catch up?** Set `epochs = 20` and run the notebook. Does APR's lead on replay shrink?
#
# <details><summary>Solution</summary>
#
# Open: we have not run this at full settings. If the lead shrinks, it came from training too short for replay.
#
# </details>
#
# ## Takeaways
#
# *TODO after the run; of the earlier run:*
#
# - **APR gains 13.7% ± 5.7%<!--=09 gain/APR as ±.1%--> on replay here, and its logits hold all of the gain that we see.**
# - **Give the control the same samples.** Their labels end at 35.2%<!--=09 accuracy/labels as .1%-->, APR at 36.7%<!--=09 accuracy/APR as .1%-->: not told apart. Replay alone has
#   too little rehearsal for a fair comparison.
# - **SPL shows no gain, nor does its map matter that we see.** Its loss is next to nothing at this size, so this is no
#   refutation.
# - **Note the size of a penalty before you judge its effect.**
#
# *Caveats.* The network is half as wide as the source's, and small runs see a third of the images. One choice of images serves all seeds. APR's λ
# is the source's, searched there; the controls are not tuned. Adjusted for the number of claims (LEDGER.md), APR's gain on
# replay stands at the border of significance, and its lead on more replay does not hold.
#
# **References.** Selvaraju et al. 2016, arXiv:1610.02391. Chaudhry et al. 2019, arXiv:1902.10486. Buzzega et al. 2020,
# arXiv:2004.07211. The source: the write-up "Activation Preserving Loss".
