"""What `make lab` opens, in a browser: a notebook shows its cells and runs them, and saving it
touches nothing that git tracks.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest

from cf_utils.files import ROOT

NAME = "01_sequential_forgetting.ipynb"
PATIENCE = 240  # seconds that each step may take; a quiet machine needs a few
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --window-size=1200,900"
)

# What the page is asked, in JavaScript.
OPENED = """
const panel = window.jupyterapp?.shell.currentWidget;
return Boolean(panel?.content?.widgets?.length && panel.sessionContext?.session?.kernel);
"""
# Scrolls to a cell, since those far away are not drawn; whether it shows something.
SHOWN = """
const book = jupyterapp.shell.currentWidget.content, cell = book.widgets[arguments[0]];
book.scrollToItem(arguments[0]);
return Boolean(cell?.node.isConnected && cell.node.innerText.trim());
"""
# Notes what the bars say, from now on.
WATCH = """
const node = jupyterapp.shell.currentWidget.node;
window.bars = new Set();
new MutationObserver(() => {
  for (const bar of node.querySelectorAll(".widget-hbox"))
    bars.add(bar.textContent.replace(/\\s+/g, " "));
}).observe(node, {subtree: true, childList: true});
"""
# Changes a cell as a person would, and begins to run it.
RUN = """
const [index, changed] = arguments, book = jupyterapp.shell.currentWidget.content;
const source = book.widgets[index].model.sharedModel;
for (const [old, value] of Object.entries(changed))
  source.setSource(source.getSource().replace(old, value));
book.activeCellIndex = index;
book.deselectAll();
window.ran = false;
jupyterapp.commands.execute("notebook:run-cell").then(() => { window.ran = true; });
"""
# The bytes of the playground's first picture that is shown, as text.
PICTURE = """
const image = [...document.querySelectorAll("img.widget-image")].find((one) => one.offsetWidth);
const canvas = Object.assign(document.createElement("canvas"),
  {width: image.naturalWidth, height: image.naturalHeight});
canvas.getContext("2d").drawImage(image, 0, 0);
return canvas.toDataURL();
"""
# The control that has this name: its node, what it says, its handle.
SLIDER = """
const slider = [...document.querySelectorAll(".widget-hslider")].find(
  (one) => one.querySelector(".widget-label").textContent == arguments[0]);
return [slider.querySelector(".widget-readout").textContent, slider.querySelector(".noUi-handle")];
"""
BUTTON = """
const button = [...document.querySelectorAll("button.widget-button")].find(
  (one) => one.textContent == arguments[0]);
if (arguments[1]) button.click();
return !button.disabled;
"""
RIGHT = "\ue014"  # the arrow key, in the WebDriver protocol
SAVE = """
window.saved = false;
jupyterapp.shell.currentWidget.context.save().then(() => { window.saved = true; });
"""


def ask(url, body=None, method=None):
    """What a driver of the WebDriver protocol answers; RuntimeError with what it complains of."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise RuntimeError(json.load(error)["value"]["message"]) from None


def wait(found, what):
    """The first true value that ``found()`` gives; the test fails after PATIENCE seconds."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if value := found():
                return value
        except (OSError, RuntimeError):  # it is not there yet
            pass
        time.sleep(0.2)
    pytest.fail(f"{what} did not come within {PATIENCE} s")


@contextmanager
def started(command, log, **options):
    """A process in a group of its own, with what it says in ``log``; ended with all it started."""
    with open(log, "w", encoding="utf-8") as said:
        process = subprocess.Popen(
            command, stdout=said, stderr=said, start_new_session=True, **options
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def browser(tmp_path):
    """The address of a session of headless Chromium with an empty profile."""
    programs = shutil.which("chromium"), shutil.which("chromedriver")
    if None in programs:
        pytest.skip("no chromium and chromedriver here (Debian: chromium, chromium-driver)")
    port = free_port()
    driver, flags = f"http://127.0.0.1:{port}", [*FLAGS.split(), f"--user-data-dir={tmp_path}/user"]
    options = {"binary": programs[0], "args": flags}
    wanted = {"goog:chromeOptions": options}
    with started([programs[1], f"--port={port}"], tmp_path / "driver.log"):
        wait(lambda: ask(f"{driver}/status")["ready"], "chromedriver")
        try:
            session = ask(f"{driver}/session", {"capabilities": {"alwaysMatch": wanted}})
        except RuntimeError as error:
            pytest.skip(f"Chromium does not start here: {error}")
        address = f"{driver}/session/{session['sessionId']}"
        try:
            yield address
        finally:
            ask(address, method="DELETE")


@pytest.fixture
def lab(tmp_path):
    """`make lab` without its own browser, on copies of its own: the server's address, the copies'
    folder.
    """
    port, configuration = free_port(), tmp_path / "configuration"
    configuration.mkdir()
    server = {"port": port, "open_browser": False, "token": "", "allow_root": True}
    written = {"ServerApp": server, "LabApp": {"expose_app_in_browser": True}}
    (configuration / "jupyter_server_config.json").write_text(json.dumps(written))
    own = {"JUPYTER_CONFIG_DIR": configuration, "JUPYTERLAB_WORKSPACES_DIR": tmp_path / "spaces"}
    own |= {"JUPYTERLAB_SETTINGS_DIR": tmp_path / "settings", "IPYTHONDIR": tmp_path}
    (ROOT / "out").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "out", prefix="lab-test-") as place:
        folder = Path(place).relative_to(ROOT)
        # Where the interpreter is, the rest is: nothing is set up anew.
        make = ["make", "-o", "setup", f"BIN={Path(sys.executable).parent}", f"LAB={folder}", "lab"]
        # Flags of a `make test` that this runs under are not for it.
        environment = {key: value for key, value in os.environ.items() if "MAKE" not in key}
        environment |= {key: str(value) for key, value in own.items()}
        address, log = f"http://127.0.0.1:{port}", tmp_path / "lab.log"
        with started(make, log, cwd=ROOT, env=environment):
            wait(lambda: urllib.request.urlopen(f"{address}/api").status == 200, "JupyterLab")
            yield address, folder


def tracked():
    """What git says of the files that it tracks or ought to."""
    asked = ["git", "status", "--porcelain"], ["git", "diff", "HEAD"]
    return [subprocess.run(one, cwd=ROOT, capture_output=True, check=True).stdout for one in asked]


def test_a_notebook_runs_in_jupyterlab_and_git_sees_nothing(browser, lab):
    before, (address, folder) = tracked(), lab
    cells = nbformat.read(ROOT / "notebooks" / NAME, as_version=4).cells
    code = [i for i, cell in enumerate(cells) if cell.cell_type == "code"]
    training = next(i for i in code if "\n    train(name" in cells[i].source)

    def run(script, *arguments):
        return ask(f"{browser}/execute/sync", {"script": script, "args": arguments})

    ask(f"{browser}/url", {"url": f"{address}/lab/tree/{folder}/{NAME}"})
    wait(lambda: run(OPENED), "the notebook")
    for i in range(len(cells)):
        wait(lambda: run(SHOWN, i), f"cell {i}")

    run(WATCH)
    # A step or two a task: what takes time here is the browser.
    changed = {"validation = 1000": "validation = 3800", "seeds = 10": "seeds = 2"}
    changed |= {"epochs = 5": "epochs = 1"}
    for i in code[: code.index(training) + 1]:
        wait(lambda: run(SHOWN, i), f"cell {i}")
        run(RUN, i, changed)
        wait(lambda: run("return ran"), f"the end of cell {i}")
    bars = run("return [...bars]")
    assert any("task 1 of 5" in bar and "step" in bar for bar in bars), bars

    run(SAVE)
    wait(lambda: run("return saved"), "the saved notebook")
    kept = nbformat.read(ROOT / folder / NAME, as_version=4).cells[: training + 1]
    assert any("validation = 3800" in cell.source for cell in kept)
    assert [o for c in kept for o in c.get("outputs", []) if o.output_type == "error"] == []
    assert tracked() == before


def test_the_playground_answers_to_the_keyboard(browser, lab):
    name, (address, folder) = "00b_playground.ipynb", lab
    cells = nbformat.read(ROOT / "notebooks" / name, as_version=4).cells
    code = [i for i, cell in enumerate(cells) if cell.cell_type == "code"]
    box, first = (
        next(i for i in code if text in cells[i].source) for text in ("widgets.VBox(\n", "= go()")
    )

    def run(script, *arguments):
        return ask(f"{browser}/execute/sync", {"script": script, "args": arguments})

    ask(f"{browser}/url", {"url": f"{address}/lab/tree/{folder}/{name}"})
    wait(lambda: run(OPENED), "the notebook")
    for i in code[: code.index(first) + 1]:
        wait(lambda: run(SHOWN, i), f"cell {i}")
        run(RUN, i, {"epochs = 5": "epochs = 1"})
        wait(lambda: run("return ran"), f"the end of cell {i}")
    wait(lambda: run(SHOWN, box), "the controls")
    before = wait(lambda: run(PICTURE), "the picture of the first run")

    said, handle = run(SLIDER, "learning rate")
    ask(f"{browser}/element/{next(iter(handle.values()))}/value", {"text": RIGHT})
    wait(lambda: run(SLIDER, "learning rate")[0] != said, "another learning rate")
    assert run(PICTURE) == before, "a choice alone draws nothing"
    run(BUTTON, "run", True)
    wait(lambda: run(PICTURE) != before, "another picture")
    wait(lambda: run(BUTTON, "run"), "the end of the run")
    texts = "return [...document.querySelectorAll('.widget-html')].map((one) => one.textContent)"
    assert "right after the last task" in " ".join(run(texts))
