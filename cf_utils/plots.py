"""Drawing: one look for all figures. Nothing here trains."""

from itertools import accumulate

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from cf_utils.metrics import interval

COLORS = sns.color_palette("colorblind")
COLORS[7] = (0.1, 0.1, 0.1)  # in place of grey, which stands for what was not seen
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "<", ">", "*"]


def style():
    """One look for all figures: call it once at the top of a notebook."""
    sns.set_theme(style="ticks", palette="colorblind")
    plt.rc("axes", titlesize="medium")
    plt.rc("axes.spines", top=False, right=False)
    plt.rc("figure", dpi=90)
    plt.rc("figure.constrained_layout", use=True)
    plt.rc("image", cmap="cividis")
    plt.rc("legend", frameon=False)


def _panels(rows, columns, margin, panel, **options):
    """A figure and its axes ``[rows, columns]``: width and height of its ``margin`` and of each
    ``panel`` in inches.
    """
    size = (margin[0] + panel[0] * columns, margin[1] + panel[1] * rows)
    return plt.subplots(rows, columns, figsize=size, squeeze=False, **options)


def band(ax, x, values, label, index=0, marker=True, **style):
    """A line of means with its 95 % interval as a band; ``values`` is ``[seeds, points]``.

    ``index`` chooses colour and marker. Returns the table behind it: x, mean, ci95, label.
    """
    mean, half = interval(values)
    color = COLORS[index % len(COLORS)]
    ax.plot(
        x,
        mean,
        color=color,
        marker=MARKERS[index % len(MARKERS)] if marker else None,
        label=label,
        **style,
    )
    ax.fill_between(x, mean - half, mean + half, color=color, alpha=0.25, linewidth=0)
    return pd.DataFrame({"x": np.asarray(x), "mean": mean, "ci95": half, "label": label})


def end_labels(ax, gap=0.05):
    """Replace the legend by a label at each line's right end,
    moved apart by ``gap`` of the axis's height.
    """
    lines = sorted(ax.get_legend_handles_labels()[0], key=lambda line: float(line.get_ydata()[-1]))
    ends = [float(line.get_ydata()[-1]) for line in lines]
    low, high = ax.get_ylim()
    places = list(accumulate(ends, lambda below, y: max(y, below + gap * (high - low))))
    shift = max(0.0, places[-1] - high) if places else 0.0
    for line, y, place in zip(lines, ends, places, strict=True):
        end, to = (line.get_xdata()[-1], y), (1.02, (place - shift - low) / (high - low))
        style = {"color": line.get_color(), "va": "center", "fontsize": "small"}
        ax.annotate(line.get_label(), end, to, textcoords="axes fraction", **style)


def _color(index):
    return COLORS[index % len(COLORS)]


def _marker(index):
    """As there are as many colours: another one for each of them as they begin again."""
    return MARKERS[(index + index // len(MARKERS)) % len(MARKERS)]


def dots(ax, groups, xlabel, index=0, shift=0.0, **style):
    """Means with 95 % intervals as one row each: ``groups`` maps row labels to values, one a seed,
    or to None.

    index: of colour and marker; shift: down from the row's middle. Returns the table behind it:
    label, mean, ci95, n.
    """
    rows, style = [], {"fmt": _marker(index), "color": _color(index), "capsize": 3} | style
    for i, (label, values) in enumerate(groups.items()):
        if values is not None:
            mean, half = interval(values)
            ax.errorbar(mean, i + shift, xerr=half, **style)
            rows.append({"label": label, "mean": mean, "ci95": half, "n": len(values)})
    ax.set_yticks(range(len(groups)), list(groups))
    ax.set_ylim(len(groups) - 0.5, -0.5)
    ax.grid(axis="x", alpha=0.4)
    ax.set_xlabel(xlabel)
    return pd.DataFrame(rows)


def dot_columns(columns, title=None):
    """``dots`` side by side; columns: axis label -> groups of the same rows.

    Returns the figure, its axes and table.
    """
    rows = len(next(iter(columns.values())))
    fig, axes = _panels(1, len(columns), (3.1, 1), (2.3, 0.28 * rows), sharey=True)
    tables = []
    for i, (ax, (label, groups)) in enumerate(zip(axes[0], columns.items(), strict=True)):
        tables.append(dots(ax, groups, label, index=i).assign(metric=" ".join(label.split())))
    if title:
        fig.suptitle(title)
    return fig, axes[0], pd.concat(tables)


def arm_columns(columns):
    """Columns of ``dots``, with a colour and marker for each arm within each row.

    Returns figure, axes and table.
    columns: axis label -> arm -> row -> values, one a seed; an arm or a column may lack rows.
    """
    arms = list(next(iter(columns.values())))
    rows = list(dict.fromkeys(row for of in columns.values() for arm in arms for row in of[arm]))
    height, step = max(0.42, 0.14 * len(arms)) * len(rows), min(0.24, 0.8 / len(arms))
    fig, axes = _panels(1, len(columns), (3.4, 1.2), (2.1, height), sharey=True)
    tables = []
    for ax, (label, of) in zip(axes[0], columns.items(), strict=True):
        for i, arm in enumerate(arms):
            groups = {row: of[arm].get(row) for row in rows}
            shift = step * (i - (len(arms) - 1) / 2)
            table = dots(ax, groups, label, i, shift, capsize=2, ms=5).rename(
                columns={"label": "row"}
            )
            tables.append(table.assign(metric=" ".join(label.split()), arm=arm))
    handles = [
        plt.Line2D([], [], color=_color(i), marker=_marker(i), ls="", label=arm)
        for i, arm in enumerate(arms)
    ]
    fig.legend(handles=handles, loc="outside upper center", ncols=len(arms))
    return fig, axes[0], pd.concat(tables)[["metric", "arm", "row", "mean", "ci95", "n"]]


SWEPT = {
    "accuracy": "accuracy after\nthe stream (%)",
    "learned": "accuracy right\nafter each task (%)",
    "forgotten": "forgotten since\nit was trained (points)",
}


def sweep_grid(swept, strengths, chosen, rows=SWEPT):
    """What sweeps over a strength found: a column for each stream, a row for each measure,
    a line for each method.

    swept: stream -> method -> measure -> ``[K, seeds]``, as of ``sweeps.sweep``; strengths:
    method -> ``[K]``, a strength of 0 first, drawn as a dotted line; chosen: stream -> method ->
    which of the strengths, drawn as a ring; rows: measure -> axis label. Returns the figure and its
    table.
    """
    fig, axes = _panels(len(rows), len(swept), (1, 0.6), (3.7, 2.5), sharex=True, sharey="row")
    tables = []
    for column, (title, methods) in zip(axes.T, swept.items(), strict=True):
        for ax, (key, label) in zip(column, rows.items(), strict=True):
            for i, (method, found) in enumerate(methods.items()):
                x, best = strengths[method], chosen[title][method]
                drawn = band(ax, x[1:], found[key][1:].T, method, index=i, ms=4)
                tables.append(drawn.assign(stream=title, measure=" ".join(label.split())))
                ax.plot(
                    x[best] or x[1], found[key][best].mean(), "o", ms=12, mfc="none", mec=COLORS[i]
                )
                ax.axhline(found[key][0].mean(), color="0.4", ls=":", lw=1)
            ax.set(xscale="log", ylim=(-3, 103), xlabel="strength λ", ylabel=label)
            ax.label_outer()
        column[0].set_title(title)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    return fig, pd.concat(tables).rename(columns={"x": "strength", "label": "method"})


def mark(ax, x, text, side="left"):
    """A dotted vertical line at ``x`` with its name at the top, on one side."""
    ax.axvline(x, color="0.4", ls=":", lw=1)
    shift, align = (-3, "right") if side == "left" else (3, "left")
    ax.annotate(
        text,
        (x, 1),
        (shift, 2),
        ("data", "axes fraction"),
        "offset points",
        ha=align,
        fontsize="small",
    )


def heatmap(
    ax, matrix, title, xlabel="", ylabel="", vmin=None, vmax=None, colorbar=None, **options
):
    """A matrix as an image, cividis, with its own colour bar labelled ``colorbar`` if given."""
    image = ax.imshow(
        matrix, aspect="auto", interpolation="nearest", vmin=vmin, vmax=vmax, **options
    )
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    ax.spines[:].set_visible(False)
    if colorbar is not None:
        ax.figure.colorbar(image, ax=ax, label=colorbar, fraction=0.06, pad=0.03)
    return image


def over_tasks(rows, panels, names, ylim=(-3, 103)):
    """Lines over tasks, a row of panels for each measure; returns the figure and its table.

    rows: axis label -> network -> ``[seeds, tasks]``; panels: the networks of each column; names:
    of the tasks.
    """
    fig, axes = _panels(len(rows), len(panels), (0, 0), (5.5, 3.3), sharey="row")
    tables = []
    for row, (label, networks) in zip(axes, rows.items(), strict=True):
        for ax, panel in zip(row, panels, strict=True):
            drawn = [
                band(ax, names, networks[network], network, index=i)
                for i, network in enumerate(panel)
            ]
            tables.append(pd.concat(drawn).assign(measure=label))
            ax.set(xlabel="after task", ylim=ylim)
            end_labels(ax, gap=0.075)
        row[0].set_ylabel(label)
    return fig, pd.concat(tables).rename(columns={"x": "after", "label": "network"})


def numbers(ax, matrix, form="{:.1f}", middle=None):
    """Write each entry of a heatmap's matrix into its cell, white on the dark half."""
    middle = (np.nanmin(matrix) + np.nanmax(matrix)) / 2 if middle is None else middle
    for i, j in np.argwhere(np.isfinite(matrix)):
        color = "white" if matrix[i, j] < middle else "black"
        ax.text(
            j, i, form.format(matrix[i, j]), ha="center", va="center", color=color, fontsize="small"
        )


def number_grid(matrices, yticks, xticks, ylabel, xlabel, columns=4, vmax=100):
    """Heatmaps with their numbers, ``columns`` of them in a row; returns the figure and its table.

    matrices: title -> matrix, where NaN stays white; vmax: end of the scale from 0, or None for
    each matrix's largest.
    """
    rows = -(-len(matrices) // columns)
    fig, axes = _panels(
        rows, columns, (0, 0.4), (3.3, 0.5 + 0.24 * len(yticks)), sharex=True, sharey=True
    )
    plt.setp(axes.flat[len(matrices) :], visible=False)
    tables = []
    for ax, (title, matrix) in zip(axes.flat, matrices.items(), strict=False):
        top = np.nanmax(matrix) if vmax is None else vmax
        heatmap(ax, matrix, title, vmin=0, vmax=top)
        numbers(ax, matrix, "{:.0f}", middle=top / 2)
        ax.set(
            xticks=range(len(xticks)),
            xticklabels=xticks,
            yticks=range(len(yticks)),
            yticklabels=yticks,
        )
        ax.tick_params(length=0, labelsize="small")
        tables.append(pd.DataFrame(matrix, columns=xticks).assign(what=title, **{ylabel: yticks}))
    fig.supxlabel(xlabel, fontsize="medium")
    fig.supylabel(ylabel, fontsize="medium")
    return fig, pd.concat(tables)


def forgetting_grid(networks, names, label="accuracy (%)", scale=100, ylim=(-3, 103)):
    """Accuracy (or loss) on each task while later ones are trained: a row of panels a network.

    networks: name -> for each task trained a dict, task tested -> (steps ``[S]``, values
    ``[seeds, S]``, drawn times ``scale``); names: of the tasks. The first task, which has none
    before it, is left out. Returns figure and table.
    """
    tasks = len(names)
    fig, axes = _panels(len(networks), tasks - 1, (2.2, 0.9), (2.2, 2.05), sharex=True, sharey=True)
    tables = []
    for row, (network, trained) in zip(axes, networks.items(), strict=True):
        for t, ax in enumerate(row, start=1):
            for j, (steps, values) in trained[t].items():
                drawn = band(
                    ax,
                    steps + 1,
                    scale * values,
                    names[j],
                    index=j,
                    marker=False,
                    ls="--" if j == t else "-",
                )
                tables.append(drawn.assign(network=network, training=names[t]))
            ax.set(xscale="log", ylim=ylim, title=f"training {names[t]}" if ax in axes[0] else "")
        row[0].set_ylabel(f"{network}\n{label}")
    fig.supxlabel("step + 1", fontsize="medium")
    handles = [plt.Line2D([], [], color=COLORS[j], label=name) for j, name in enumerate(names)]
    handles.append(plt.Line2D([], [], color="0.3", ls="--", label="the task being trained"))
    fig.legend(
        handles=handles,
        loc="outside upper center",
        ncols=tasks + 1,
        title=f"{label.split(' (')[0]} on",
    )
    table = pd.concat(tables).rename(columns={"x": "step + 1", "label": "tested on"})
    return fig, table.assign(measure=label)


def update_grid(sizes, moved, layers, names):
    """Relative updates step by step and over whole tasks: a row of panels for each network.

    Returns figure and table.
    sizes: network -> layer -> for each task ``[seeds, steps]``; moved: network -> layer ->
    ``[seeds, tasks]``, both as shares of the weights' norm; layers: layer -> label; names: of the
    tasks. The table has 100 steps a task at most.
    """
    widths = (*[1] * len(names), 1.3)
    fig, axes = _panels(
        len(sizes), len(widths), (2, 0.8), (2.1, 2.3), sharey="col", width_ratios=widths
    )
    tables = []
    ends = [
        100 * np.mean(v, axis=0)
        for network in sizes.values()
        for tasks in network.values()
        for v in tasks
    ]
    ylim = (0.8 * min(v[v > 0].min() for v in ends), 1.3 * max(v.max() for v in ends))
    for row, network in zip(axes, sizes, strict=True):
        for i, (layer, label) in enumerate(layers.items()):
            for t, ax in enumerate(row[:-1]):
                values = 100 * sizes[network][layer][t]
                drawn = band(
                    ax,
                    np.arange(1, values.shape[1] + 1),
                    values,
                    label,
                    index=i,
                    marker=False,
                    lw=1,
                )
                tables.append(drawn[:100].assign(network=network, task=names[t], what="update (%)"))
                ax.set(xscale="log", yscale="log", ylim=ylim, title=f"{network}, {names[t]}")
                ax.tick_params(labelleft=t == 0)
            drawn = band(row[-1], names, 100 * np.asarray(moved[network][layer]), label, index=i)
            tables.append(drawn.assign(network=network, what="moved (%)"))
        row[0].set_ylabel("update ‖Δw‖ / ‖w‖ (%)")
        row[-1].set(title=f"{network}, whole task", ylabel="moved (%)", ylim=(0, None))
        row[-1].tick_params(axis="x", rotation=45)
    plt.setp(axes[-1, :-1], xlabel="step")
    fig.legend(
        *axes[0, -1].get_legend_handles_labels(), loc="outside upper center", ncols=len(layers)
    )
    return fig, pd.concat(tables).rename(columns={"x": "step or task", "label": "layer"})


def beliefs(networks, pictures, names):
    """What each network believes about one picture of each class after each task.

    Returns the figure and its table.
    networks: name -> each task's probabilities ``[classes, outputs]``; pictures:
    ``[classes, H, W]``; names: of tasks.
    """
    classes, height = len(pictures), pictures.shape[1]
    size = (1.4 + 2.1 * len(names), 0.3 + 3.3 * len(networks))
    widths = (0.14, *[1] * len(names))
    fig, axes = plt.subplots(
        len(networks), 1 + len(names), figsize=size, width_ratios=widths, squeeze=False
    )
    tables = []
    for row, (network, probabilities) in zip(axes, networks.items(), strict=True):
        row[0].imshow(np.concatenate(list(pictures)), cmap="gray_r", aspect="auto")
        row[0].set(
            xticks=[], yticks=height * (np.arange(classes) + 0.5), yticklabels=range(classes)
        )
        row[0].set_ylabel(f"{network}: digit shown")
        for t, (ax, matrix) in enumerate(zip(row[1:], probabilities, strict=True)):
            colorbar = "probability" if t == len(names) - 1 else None
            heatmap(ax, matrix, f"after {names[t]}", "output", "", 0, 1, colorbar)
            ax.set(xticks=range(classes), yticks=[])
            tables.append(
                pd.DataFrame(matrix).assign(network=network, after=names[t], digit=range(classes))
            )
    return fig, pd.concat(tables)


def clouds(axes, planes, labels, seen, titles):
    """A row of 2-D maps coloured by class, each named at its middle.

    Classes not in ``seen`` are grey crosses. Returns the table of all points: map, label, x, y.
    """
    tables = []
    for ax, plane, known, title in zip(axes, planes, seen, titles, strict=True):
        for c in np.unique(labels):
            points = plane[labels == c]
            color, marker = (COLORS[int(c) % 10], "o") if c in known else ("0.6", "x")
            ax.scatter(*points.T, s=6, marker=marker, color=color, alpha=0.7, linewidths=0.5)
            box = {
                "boxstyle": "circle,pad=0.15",
                "facecolor": "white",
                "edgecolor": color,
                "alpha": 0.9,
            }
            ax.text(
                *np.median(points, axis=0), str(c), ha="center", va="center", fontsize=9, bbox=box
            )
        ax.set(xticks=[], yticks=[], title=title)
        ax.spines[:].set_visible(True)
        tables.append(
            pd.DataFrame({"map": title, "label": labels, "x": plane[:, 0], "y": plane[:, 1]})
        )
    return pd.concat(tables)
