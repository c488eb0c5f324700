"""Finalists as MLflow models: loaded by others, registered, and promoted through the gates."""

from __future__ import annotations

import io
import json
import logging
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import url2pathname

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import isoflop
from isoflop.bench import Bench
from isoflop.cli import main
from isoflop.config import TrialConfig
from isoflop.errors import DataError, InputError, UnknownError
from isoflop.evaluation.predictions import Predictions, load_predictions, save_predictions
from isoflop.home import VARIABLE, Home
from isoflop.ledger import ledger
from isoflop.models import build
from isoflop.outcome import Study
from isoflop.portable.folder import CONFIG, FINALIST, LABELS, PREPROCESSING, WEIGHTS
from isoflop.portable.shelf import log_finalists
from isoflop.records import Key
from isoflop.registry.promotion import promote, register, registered, shelf_of
from isoflop.reproduction.comparison import compare_answers
from isoflop.spec import spec_from_tree
from isoflop.study import finalists, search

CLOSE = 0.01
"""How far a logit may be off what is stored in float16."""


def study(bench: Bench, name: str, lr: float, epochs: int) -> Study:
    """A search of one trial, and its finalist on two seeds."""
    tree = {
        "space": {"model.family": "lenet", "model.stem": 1, "model.width": 2.0, "optim.lr": lr},
        "study": {
            "name": name,
            "data": "digits",
            "fidelity": {"horizon": epochs, "reports": 1},
            "halving": None,
            "budget": {"trials": 1},
            "sampler": {"name": "random"},
        },
    }
    search(spec_from_tree(tree, where="test"), study=name, bench=bench)
    return finalists(name, top=1, seeds=2, bench=bench)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, home: Home) -> Home:
    """A state folder of its own: models are registered by the name of their data set."""
    made = Home(tmp_path_factory.mktemp("a folder's name"))
    shutil.copytree(home.data, made.data)
    return made


@pytest.fixture(scope="module")
def bench(place: Home) -> Bench:
    return Bench(home=place, executor="inline")


@pytest.fixture(scope="module")
def weak(bench: Bench) -> Study:
    return study(bench, "weak", lr=0.001, epochs=1)


@pytest.fixture(scope="module")
def strong(bench: Bench) -> Study:
    return study(bench, "strong", lr=0.02, epochs=4)


@pytest.fixture(scope="module")
def logged(place: Home, bench: Bench, weak: Study) -> Path:
    """The folder of the first seed's model in MLflow's store."""
    (folder,) = [file.parent for file in (place.mlflow_artifacts / "weak").rglob("MLmodel")]
    return folder


@pytest.fixture(scope="module")
def images(place: Home) -> npt.NDArray[np.uint8]:
    found: npt.NDArray[np.uint8] = np.load(place.data / "digits" / "test_images.npy")
    return found


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(place: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command; gives its exit code, its output and its errors."""
    monkeypatch.setenv(VARIABLE, str(place.path))

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["isoflop", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        found = capsys.readouterr()
        return int(ended.value.code or 0), found.out, found.err

    return run


def png(pixels: npt.NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels[0]).save(file, format="PNG")
    return file.getvalue()


def stored(place: Home, replicate: int = 0, name: str = "weak") -> Predictions:
    return load_predictions(
        place.artifacts(f"{name}-finalists", Key(trial=0, replicate=replicate)) / "test_predictions.npz"
    )


def as_stored(logits: npt.NDArray[np.float32], like: Predictions, folder: Path) -> Predictions:
    path = folder / "answers.npz"
    save_predictions(path, logits, like.labels, split="test", data_digest=like.data_digest)
    return load_predictions(path)


def assert_equal(logits: Any, like: Predictions, folder: Path) -> None:
    found = compare_answers(like, as_stored(np.asarray(logits, np.float32), like, folder))
    assert (found.images, found.changed) == (270, 0)
    assert found.largest <= CLOSE


def pyfunc(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own
        import mlflow.pyfunc

        return mlflow.pyfunc.load_model(str(folder))


def test_pyfunc_answers_image_files_as_is_stored(
    place: Home, logged: Path, images: npt.NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import pandas as pd

    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    model = pyfunc(logged)
    found = model.predict(pd.DataFrame({"image": [png(one) for one in images]}))
    assert list(found.columns) == ["label", "probability", "probabilities", "logits"]
    assert_equal(np.stack(found.logits.to_list()), stored(place), tmp_path)
    chances = np.stack(found.probabilities.to_list())
    assert chances.sum(1) == pytest.approx(1.0)
    assert found.probability.to_list() == pytest.approx(chances.max(1))
    assert found.label.to_list() == [str(place) for place in stored(place).logits.argmax(1)]


def test_plain_torch_answers_arrays_as_is_stored(
    place: Home, logged: Path, images: npt.NDArray[np.uint8], tmp_path: Path
):
    """With the files alone: an architecture of its configuration, weights by name, and two lines of arithmetic."""
    folder = logged / "artifacts" / FINALIST
    config = TrialConfig.model_validate(json.loads((folder / CONFIG).read_text())["config"])
    labels, seen = (json.loads((folder / name).read_text()) for name in (LABELS, PREPROCESSING))
    shape = (seen["channels"], seen["height"], seen["width"])
    assert (labels, shape, seen["resolution"]) == ([str(one) for one in range(10)], (1, 8, 8), 8)
    net = build(config.model, image=shape, classes=len(labels), seed=1)
    net.load_state_dict(load_file(folder / WEIGHTS))
    mean, std = (torch.tensor(seen[name])[:, None, None] for name in ("mean", "std"))
    with torch.inference_mode():
        logits = net.eval()((torch.from_numpy(images) / 255 - mean) / std)
    assert_equal(logits, stored(place), tmp_path)


def test_our_own_loader_takes_the_folder_and_the_run(
    place: Home, logged: Path, images: npt.NDArray[np.uint8], tmp_path: Path
):
    for folder in (logged, logged / "artifacts" / FINALIST):
        assert_equal(isoflop.load_model(folder).logits(images), stored(place), tmp_path)
    assert_equal(isoflop.load_model("weak-finalists/0", home=place.path).logits(images), stored(place), tmp_path)


def test_the_model_says_what_it_needs_and_holds_no_pickle(logged: Path):
    import pandas as pd

    needed = (logged / "requirements.txt").read_text().split()
    assert {one.partition("==")[0] for one in needed} >= {"isoflop", "mlflow", "torch", "safetensors", "pillow"}
    suffixes = {file.suffix for file in logged.rglob("*") if file.is_file()}
    assert suffixes == {"", ".py", ".txt", ".yaml", ".json", ".safetensors"}
    model = pyfunc(logged)
    assert [(column.name, str(column.type)) for column in model.metadata.signature.inputs] == [
        ("image", "DataType.binary")
    ]
    assert len(model.predict(model.input_example)) == 1
    assert model.metadata.metadata["isoflop.run"] == "weak-finalists/0"
    with pytest.raises(Exception, match="image 1: not an image of a known format"):
        model.predict(pd.DataFrame({"image": [model.input_example.image[0], b"no image"]}))


def test_a_folder_that_is_no_model_or_is_torn_is_one_line(logged: Path, tmp_path: Path):
    with pytest.raises(UnknownError, match=r"it has no config\.json"):
        isoflop.load_model(tmp_path)
    for torn in (WEIGHTS, LABELS):
        folder = tmp_path / torn
        shutil.copytree(logged / "artifacts" / FINALIST, folder)
        (folder / torn).write_bytes(b"torn")
        with pytest.raises(DataError, match="is torn") as error:
            isoflop.load_model(folder)
        assert "\n" not in str(error.value)


def test_the_first_seed_of_a_finalist_is_logged_once_beside_its_run(
    place: Home, bench: Bench, weak: Study, logged: Path
):
    log_finalists(weak.id, bench)
    isoflop.evaluate(weak.id, bench=bench)
    assert [file.parent for file in (place.mlflow_artifacts / "weak").rglob("MLmodel")] == [logged]
    client = shelf_of(bench).client
    experiment = client.get_experiment_by_name("weak").experiment_id
    (model,) = client.search_logged_models([experiment])
    run = client.get_run(model.source_run_id)
    assert (model.tags["isoflop.run"], model.status) == ("weak-finalists/0", "READY")
    assert run.data.tags["isoflop.weights_sha256"] == model.tags["isoflop.weights_sha256"]
    assert [one.model_id for one in run.outputs.model_outputs] == [model.model_id]


def test_a_store_that_is_down_is_one_line_and_stops_nothing(
    place: Home, weak: Study, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    down = Bench(home=place, executor="inline", tracking_uri="http://me:hush@127.0.0.1:9")
    with caplog.at_level(logging.WARNING, logger="isoflop"):
        log_finalists(weak.id, down)
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("isoflop")]
    assert "one by one: isoflop register RUN" in line
    assert "\n" not in line
    assert "hush" not in line


def aliases(bench: Bench, name: str) -> dict[str, str]:
    """Runs by alias."""
    return {alias: row["run"] for row in registered(name, bench=bench) for alias in row["aliases"]}


def test_a_challenger_becomes_champion_through_the_gates_alone(bench: Bench, weak: Study, strong: Study):
    before = ledger(weak.store)
    first = register("weak-finalists/0", name="way", bench=bench)
    assert (first.number, first.aliases) == (1, ("challenger",))
    done = promote("way", bench=bench)
    assert [(gate.name, gate.passed) for gate in done.gates] == [("reload", True)]
    assert "answers all 270 images bit for bit as stored" in done.gates[0].why
    assert aliases(bench, "way") == {"champion": "weak-finalists/0"}

    assert register("weak-finalists/0", name="way", bench=bench).aliases == ("champion",)
    with pytest.raises(InputError, match="has no challenger; way version 1 is the champion"):
        promote("way", bench=bench)

    register("strong-finalists/0", name="way", bench=bench)
    done = promote("way", bench=bench)
    assert [(gate.name, gate.passed) for gate in done.gates] == [("reload", True), ("better", True)]
    assert aliases(bench, "way") == {"champion": "strong-finalists/0"}

    again = register("weak-finalists/0", name="way", bench=bench)
    assert again.number == 1, "weights that are registered get no second version"
    done = promote("way", bench=bench)
    assert not done.promoted
    ours, theirs = stored(bench.home).hits, stored(bench.home, name="strong").hits
    assert f"way version 1 answers {ours.mean():.2%} of 270 test images rightly" in done.gates[1].why
    assert f"way version 2 {theirs.mean():.2%}: {100 * (ours.mean() - theirs.mean()):+.2f} points" in done.gates[1].why
    assert aliases(bench, "way") == {"champion": "strong-finalists/0", "challenger": "weak-finalists/0"}
    (row, _) = registered("way", bench=bench)
    assert row["tags"]["isoflop.gate.better"] == str(done.gates[1])
    assert ledger(weak.store) == before, "no test set is opened by a gate"


def test_another_seed_can_be_registered_and_is_its_own_version(bench: Bench, weak: Study):
    version = register("weak-finalists/0.1", name="seeds", bench=bench)
    assert (version.run, version.tags["isoflop.data"]) == ("weak-finalists/0.1", "digits")
    assert promote("seeds", bench=bench).promoted


def test_a_model_that_was_changed_in_the_store_is_refused_with_the_numbers(bench: Bench, strong: Study):
    version = register("strong-finalists/0.1", name="changed", bench=bench)
    shelf = shelf_of(bench)
    where = Path(url2pathname(shelf.client.get_model_version_download_uri("changed", "1").removeprefix("file://")))
    file = where / "artifacts" / FINALIST / WEIGHTS
    whole = file.read_bytes()
    save_file({name: -tensor for name, tensor in load_file(file).items()}, file)
    done = promote("changed", bench=bench)
    assert not done.promoted
    assert "of 270 validation images otherwise than is stored, logits are off by up to" in done.gates[0].why
    assert aliases(bench, "changed") == {"challenger": version.run}
    file.write_bytes(whole)
    kept = bench.home.artifacts("strong-finalists", Key(trial=0, replicate=1)) / "val_predictions.npz"
    kept.rename(kept.with_suffix(".away"))
    assert "has no stored answers on validation" in promote("changed", bench=bench).gates[0].why
    kept.with_suffix(".away").rename(kept)
    assert promote("changed", bench=bench).promoted


def test_weights_that_were_changed_are_not_logged(bench: Bench, strong: Study, place: Home):
    file = place.artifacts("strong-finalists", Key(trial=0, replicate=1)) / "weights.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(DataError, match=r"it is not what strong-finalists/0\.1 left"):
        register("strong-finalists/0.1", name="bits", bench=bench)
    file.write_bytes(whole)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("register", "weak/0"), "weak/0 left no weights; finalists leave weights"),
        (("register", "weak-finalists/7"), "there is no training weak-finalists/7"),
        (("register", "weak-finalist/0"), "did you mean 'weak-finalists'"),
        (("register", "weak-finalists/0", "--name", "a/b"), "Invalid model name 'a/b'"),
        (("promote", "nobody"), "there is no registered model 'nobody'"),
        (("registry", "nobody"), "there is no registered model 'nobody'"),
    ],
)
def test_mistakes_are_one_line(command: Command, weak: Study, words: tuple[str, ...], says: str):
    code, _, err = command(*words)
    assert (code, len(err.strip().splitlines())) == (2, 1)
    assert says in err


def test_the_commands_say_what_comes_next_and_exit_with_1_where_refused(command: Command, weak: Study, strong: Study):
    code, out, _ = command("register", "strong-finalists/0", "--name", "told")
    assert (code, out.splitlines()[-1]) == (0, "next: isoflop promote told")
    code, out, _ = command("promote", "told")
    assert (code, out.splitlines()[-1]) == (0, "told version 1 (strong-finalists/0) is the champion now, the first")
    command("register", "weak-finalists/0", "--name", "told")
    code, out, _ = command("promote", "told")
    assert code == 1
    assert "gate better: REFUSED: told version 2 answers" in out
    assert out.splitlines()[-1] == "told version 2 (weak-finalists/0) was refused; told version 1 stays the champion"
    code, out, _ = command("registry", "told")
    assert [line.split()[2:4] for line in out.splitlines()[1:]] == [
        ["champion", "strong-finalists/0"],
        ["challenger", "weak-finalists/0"],
    ]
    code, out, _ = command("registry", "told", "--json")
    assert [(row["version"], row["aliases"]) for row in json.loads(out)] == [(1, ["champion"]), (2, ["challenger"])]
