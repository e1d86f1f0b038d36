"""How far a run has come, and what it says when it is stopped."""

import pytest
from conftest import at, small, train

from cf_utils import checkpoint, methods, progress, training

CONFIG = training.TrainConfig(epochs=2, batch_size=8)


def stop(loop):
    if loop.t == 1 and loop.epoch == 1:
        raise KeyboardInterrupt


class Stop(methods.Method):
    """Presses Ctrl-C in the second epoch of the second task."""

    def before_epoch(self, loop):
        stop(loop)


def test_a_bar_counts_all_steps_and_goes_away(stream, monkeypatch, capsys):
    monkeypatch.setenv("CF_PROGRESS", "bar")
    seen = []
    bars = []
    monkeypatch.setattr(
        progress, "tqdm", lambda **options: bars.append(Recorded(**options)) or bars[-1]
    )
    train(small(), methods.Finetune(), stream, CONFIG, observers=[at("after_step", seen.append)])
    (bar,) = bars
    assert bar.total == bar.n == len(seen) and bar.closed and not bar.leave
    assert bar.said[0] == "task 1 of 3" and bar.said[-1].endswith("% right in training")


class Recorded:
    """What a bar is told."""

    def __init__(self, total, unit, leave):
        self.total, self.leave, self.n, self.closed, self.said = total, leave, 0, False, []

    def update(self):
        self.n += 1

    def set_description(self, text):
        self.said.append(text)

    set_postfix_str = set_description

    def close(self):
        self.closed = True


def test_batch_runs_leave_a_line_a_task(stream, monkeypatch, tmp_path):
    monkeypatch.setenv("CF_PROGRESS", str(tmp_path / "log"))
    train(small(), methods.Finetune(), stream, CONFIG)
    lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3 and lines[1].startswith("task 2 of 3: 3 networks in ")


def test_nothing_is_shown_where_nobody_looks(stream, monkeypatch, capfd):
    import ipykernel.kernelapp  # noqa: F401  which makes no notebook of this process

    monkeypatch.delenv("CF_PROGRESS", raising=False)
    assert progress.watching(3) == []
    train(small(), methods.Finetune(), stream, CONFIG)
    assert capfd.readouterr() == ("", "")


def test_a_run_that_is_stopped_says_how_far_it_came(stream):
    with pytest.raises(
        KeyboardInterrupt, match="stopped in task 2 of 3, epoch 2; nothing of this call is kept"
    ):
        train(small(), Stop(), stream, CONFIG)


def test_a_run_that_is_kept_says_what_is_there_and_goes_on(stream, tmp_path):
    arguments = tmp_path / "run", small(), Stop(), stream, CONFIG, [0]
    with pytest.raises(
        KeyboardInterrupt, match=r"stopped; 1 of 3 tasks are kept in .*run; the same call goes on"
    ):
        checkpoint.kept(*arguments)
    assert checkpoint.load(*arguments).done == 1
