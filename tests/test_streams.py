from dataclasses import replace

import numpy as np
import pytest
import torch

from cf_utils import streams
from cf_utils.data import Images

PAIRS = [[1, 4], [0, 2]]


def row(*on, of=6):
    return [i in on for i in range(of)]


def test_split_takes_the_images_of_its_classes(images):
    stream = streams.split(images, PAIRS)
    assert len(stream) == 2 and stream.outputs == 5
    for task, pair in zip(stream.tasks, PAIRS, strict=True):
        for part in ("train", "val", "test"):
            x, y = getattr(images, f"x_{part}"), getattr(images, f"y_{part}")
            mine = (y == pair[0]) | (y == pair[1])
            assert torch.equal(getattr(task, f"x_{part}"), x[mine])
            assert torch.equal(getattr(task, f"y_{part}"), y[mine])


@pytest.mark.parametrize(
    ("scenario", "groups", "outputs"),
    [
        ("task", ((1, 4), (0, 2)), 5),
        ("class", ((1, 4), (0, 2)), 5),
        ("domain", ((0, 1), (0, 1)), 2),
    ],
)
def test_split_labels_are_outputs_of_the_scenario(images, scenario, groups, outputs):
    stream = streams.split(images, PAIRS, scenario)
    assert stream.groups == groups and stream.outputs == outputs
    assert [set(task.y_test.tolist()) for task in stream.tasks] == [set(group) for group in groups]


def test_domain_labels_follow_the_order_within_the_task(images):
    task = streams.split(images, [[4, 1]], "domain").tasks[0]
    assert torch.equal(task.x_train[task.y_train == 0], images.x_train[images.y_train == 4])


@pytest.mark.parametrize(
    ("scenario", "outputs", "t", "expected"),
    [
        ("class", "all", 0, [row(0, 1, 2, 3, 4, 5)] * 6),
        ("class", "all", 1, [row(0, 1, 2, 3, 4, 5)] * 6),
        ("class", "seen", 0, [row(1, 4)] * 6),
        ("class", "seen", 1, [row(0, 1, 2, 4)] * 6),
        ("domain", "all", 0, [row(0, 1)] * 6),
        ("domain", "all", 1, [row(0, 1)] * 6),
        ("task", "all", 0, [row(0, 2), row(1, 4), row(0, 2), row(), row(1, 4), row()]),
        ("task", "all", 1, [row(0, 2), row(1, 4), row(0, 2), row(), row(1, 4), row()]),
    ],
)
def test_allowed_outputs_by_hand(images, scenario, outputs, t, expected):
    assert streams.split(images, PAIRS, scenario, outputs).allowed(t, 6).tolist() == expected


def numbered(channels):
    """One training and one test image with different values in all pixels of a channel."""
    x = (
        torch.stack([torch.arange(36).view(6, 6) + 36 * c for c in range(channels)])
        .unsqueeze(0)
        .to(torch.uint8)
    )
    y = torch.zeros(1, dtype=torch.int64)
    ones = torch.ones(channels)
    return Images("numbered", ("0",), x, y, x[:0], y[:0], x.clone(), y, ones, ones)


@pytest.mark.parametrize("channels", [1, 3])
def test_permuted_moves_pixels_the_same_way_everywhere(channels):
    tasks = streams.permuted(numbered(channels), tasks=3).tasks
    orders = [task.x_train[0, 0].flatten() for task in tasks]
    assert torch.equal(orders[0], torch.arange(36))
    for task, order in zip(tasks, orders, strict=True):
        assert sorted(order.tolist()) == list(range(36))
        for c in range(channels):
            assert torch.equal(task.x_train[0, c].flatten(), order + 36 * c)
        assert torch.equal(task.x_test, task.x_train)
    assert not torch.equal(orders[1], orders[0]) and not torch.equal(orders[1], orders[2])


def test_permuted_follows_its_seed_alone():
    torch.manual_seed(1)
    first = streams.permuted(numbered(1), 2, seed=3).tasks[1].x_train
    torch.manual_seed(2)
    assert torch.equal(streams.permuted(numbered(1), 2, seed=3).tasks[1].x_train, first)
    assert not torch.equal(streams.permuted(numbered(1), 2, seed=4).tasks[1].x_train, first)


def test_rotated_by_right_angles_is_rot90(images):
    tasks = streams.rotated(images, degrees=(0, 90, 180, -90, 360)).tasks
    for task, quarters in zip(tasks, (0, 1, 2, 3, 0), strict=True):
        for part in ("x_train", "x_val", "x_test"):
            expected = torch.rot90(getattr(images, part), quarters, (2, 3))
            assert (getattr(task, part).int() - expected.int()).abs().max() <= 1


def test_rotated_by_45_degrees_keeps_the_middle_and_loses_the_corners(images):
    white = replace(images, x_train=torch.full_like(images.x_train, 255))
    x = streams.rotated(white, degrees=(45,)).tasks[0].x_train
    assert x[:, :, 2:4, 2:4].eq(255).all() and x[:, :, 0, 0].eq(0).all()


@pytest.mark.parametrize("make", [streams.permuted, lambda i, s: streams.rotated(i, (0, 10), s)])
@pytest.mark.parametrize(("scenario", "offset"), [("domain", 0), ("task", 6), ("class", 6)])
def test_changed_images_keep_their_labels_or_get_new_ones(images, make, scenario, offset):
    stream = make(images, scenario=scenario) if make is streams.permuted else make(images, scenario)
    assert torch.equal(stream.tasks[1].y_train, images.y_train + offset)
    assert stream.outputs == 6 + offset * (len(stream) - 1)


@pytest.mark.parametrize("scenario", streams.SCENARIOS)
def test_joint_is_the_union(images, scenario):
    stream = streams.split(images, PAIRS, scenario)
    (task,) = streams.joint(stream).tasks
    for part in ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test"):
        assert torch.equal(getattr(task, part), torch.cat([getattr(t, part) for t in stream.tasks]))
    assert streams.joint(stream).outputs == stream.outputs


def test_joint_lets_only_the_outputs_of_a_samples_own_task_count(images):
    stream = streams.joint(streams.split(images, PAIRS, "task"))
    assert stream.allowed(0, 6).tolist() == [
        row(0, 2),
        row(1, 4),
        row(0, 2),
        row(),
        row(1, 4),
        row(),
    ]


def test_joint_has_seen_all_classes(images):
    stream = streams.joint(streams.split(images, PAIRS, outputs="seen"))
    assert stream.allowed(0, 6).tolist() == [row(0, 1, 2, 4)] * 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((PAIRS, "classes"), "unknown scenario 'classes'; known are task, domain, class"),
        ((PAIRS, "class", "some"), "outputs='some' is unknown; it is 'all' or 'seen'"),
        ((PAIRS, "task", "seen"), "outputs='seen' belongs to the class scenario"),
        (([[0, 6]],), "unknown class 6; made has the classes 0 to 5"),
        (([[0, -1]],), "unknown class -1"),
        (([["7"]],), "made has no class named '7'; known: 0, 1, 2, 3, 4, 5"),
        (([[None]],), "unknown class None; made has the classes 0 to 5"),
        (([["0", 0]],), "class 0 stands in two places"),
        (([[0, 1], [1, 2]],), "class 1 stands in two places"),
        (([[0, 0]],), "class 0 stands in two places"),
        (([],), "at least one task"),
        (([[0], []],), "each task at least one class"),
        (([[0, 1], [2]], "domain"), "every task needs the same number of classes"),
        ((3,), "classes=3 is no list of groups; give e.g. [[1, 2], [3, 4]]"),
        (("12",), "classes='12' is no list of groups"),
        ((None,), "classes=None is no list of groups"),
        (([1, 2],), "classes=[1, 2] is no list of groups"),
        ((np.array([1, 2]),), "classes=[1, 2] is no list of groups"),
        ((np.array(1),), "classes=array(1) is no list of groups"),
        (({0: [1]},), "classes={0: [1]} is no list of groups"),
        (([{0, 1}],), "classes=[{0, 1}] is no list of groups"),  # which has no order
        ((["12", "34"],), "classes=['12', '34'] is no list of groups"),
        (([np.array([0.0, 1.0])],), "unknown class 0.0; made has the classes 0 to 5"),
    ],
)
def test_split_names_wrong_arguments(images, arguments, message):
    with pytest.raises(ValueError) as error:
        streams.split(images, *arguments)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "classes",
    [
        np.array(PAIRS),
        [np.array(pair) for pair in PAIRS],
        np.array(PAIRS).astype(str),
        torch.tensor(PAIRS),
        [torch.tensor(pair) for pair in PAIRS],
        [list(torch.tensor(pair)) for pair in PAIRS],
        (range(1, 5, 3), range(0, 3, 2)),
        (iter(pair) for pair in PAIRS),
    ],
)
def test_split_takes_groups_in_any_series(images, classes):
    found, expected = streams.split(images, classes), streams.split(images, PAIRS)
    assert found.groups == expected.groups == ((1, 4), (0, 2))
    assert torch.equal(found.tasks[1].x_train, expected.tasks[1].x_train)


def test_split_takes_names_of_classes_as_well(images):
    named = replace(images, classes=("0", "plane", "cat", "dog", "ship", "12"))
    for scenario in streams.SCENARIOS:
        mixed = streams.split(named, [["cat", 4], ("12", "plane")], scenario)
        numbers = streams.split(named, [[2, 4], [5, 1]], scenario)
        assert mixed.groups == numbers.groups
        for one, other in zip(mixed.tasks, numbers.tasks, strict=True):
            assert one.name == other.name and torch.equal(one.x_train, other.x_train)


@pytest.mark.parametrize(
    ("classes", "group", "message"),
    [
        (("plane", "plain", "cat"), ["plan"], "named 'plan'; nearest: plane, plain"),
        (("plane", "plain", "cat"), ["x"], "named 'x'; known: plane, plain, cat"),
        ([f"n{i}" for i in range(12)], ["x"], "n8, n9, ..."),
        (("crane", "cat", "crane"), ["crane"], "2 classes of made are named 'crane'; give numbers"),
        (("crane", "cat", "dog"), ["cat", 1], "class cat stands in two places"),
    ],
)
def test_split_names_unknown_names(images, classes, group, message):
    with pytest.raises(ValueError, match=message):
        streams.split(replace(images, classes=tuple(classes)), [group])


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_task_without_images_is_named(images, part):
    kept = getattr(images, f"y_{part}") != 3
    fields = {f"{k}_{part}": getattr(images, f"{k}_{part}")[kept] for k in "xy"}
    with pytest.raises(ValueError, match=rf"task \[3\] has no {part} images in made"):
        streams.split(replace(images, **fields), [[0], [3]])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda i: streams.permuted(i, 0), "tasks=0 is not possible"),
        (lambda i: streams.permuted(i, 2.5), "tasks=2.5 is not possible"),
        (lambda i: streams.permuted(i, scenario="x"), "unknown scenario 'x'"),
        (lambda i: streams.permuted(i, "5"), "tasks='5' is not possible"),
        (lambda i: streams.permuted(i, None), "tasks=None is not possible"),
        (
            lambda i: streams.permuted(i, seed=2**70),
            f"seed={2**70} is not possible; it is a whole number from 0 to 2**64 - 1",
        ),
        (lambda i: streams.draw_classes(i, 2, 2, -1), "seed=-1 is not possible; it is a whole"),
        (lambda i: streams.rotated(i, ()), "degrees is empty"),
        (
            lambda i: streams.rotated(i, 20),
            "degrees=20 is not possible; give an angle for each task, e.g. (0, 20, 40)",
        ),
        (lambda i: streams.rotated(i, "20"), "degrees='20' is not possible"),
        (lambda i: streams.rotated(i, None), "degrees=None is not possible"),
        (lambda i: streams.rotated(i, np.array(20)), "degrees=array(20) is not possible"),
        (lambda i: streams.rotated(i, ["a"]), "degrees=['a'] is not possible"),
        (lambda i: streams.rotated(i, [0, None]), "degrees=[0, None] is not possible"),
        (lambda i: streams.rotated(i, [True]), "degrees=[True] is not possible"),
        (lambda i: streams.rotated(i, [float("nan")]), "degrees=[nan] is not possible"),
        (lambda i: streams.rotated(i, {0, 20}), "is not possible; give an angle for each task"),
        (
            lambda i: streams.rotated("mnist-5k"),
            "images is of type str; give a dataset, e.g. data.load(",
        ),
        (lambda i: streams.permuted(i.x_train), "images is of type Tensor; give a dataset"),
        (lambda i: streams.split(None, [[0]]), "images is of type NoneType; give a dataset"),
        (lambda i: streams.draw_classes("mnist-5k", 2, 2), "images is of type str; give a dataset"),
        (
            lambda i: streams.joint(i),
            "stream is of type Images; give a Stream, e.g. streams.split(images, [[1, 2], [3, 4]])",
        ),
        (
            lambda i: streams.rotated(i, outputs="seen"),
            "outputs='seen' belongs to the class scenario",
        ),
    ],
)
def test_changed_streams_name_wrong_arguments(images, make, message):
    with pytest.raises(ValueError) as error:
        make(images)
    assert message in str(error.value)


@pytest.mark.parametrize("degrees", [np.array([0, 20]), torch.tensor([0.0, 20.0]), iter((0, 20))])
def test_angles_may_come_in_any_series(images, degrees):
    found, expected = streams.rotated(images, degrees), streams.rotated(images, [0, 20])
    assert [task.name for task in found.tasks] == ["0°", "20°"]
    assert torch.equal(found.tasks[1].x_train, expected.tasks[1].x_train)
