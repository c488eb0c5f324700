from __future__ import annotations

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from isoflop.data import open_prepared, prepare
from isoflop.errors import DataError, StateError


def picture(path, *, size=(16, 16), seed=0, grey=False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = size[::-1] if grey else (*size[::-1], 3)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8)).save(path)


def class_folders(root, *, count=10, **options):
    for seed in range(2 * count):
        picture(root / "ab"[seed % 2] / f"{seed}.png", seed=seed, **options)
    return root


def content(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_digits_are_prepared_as_they_were_first(tmp_path):
    made = prepare("digits", root=tmp_path).manifest
    assert made.image == (1, 8, 8)
    assert made.sizes == {"train": 1257, "val": 270, "test": 270}
    # Written down when first made: equal on every machine, for every release of numpy and scikit-learn.
    assert made.digest == "fbfb44c50606825f"


def test_twice_gives_the_same_bytes(tmp_path):
    folder = class_folders(tmp_path / "pets")
    first, second = (prepare(str(folder), root=tmp_path / place).path for place in "xy")
    assert content(first) == content(second)


def test_a_second_prepare_does_nothing_and_says_so(tmp_path):
    folder = class_folders(tmp_path / "pets")
    first = prepare(str(folder), root=tmp_path / "x")
    before = {path.name: path.stat().st_mtime_ns for path in first.path.iterdir()}
    second = prepare(str(folder), root=tmp_path / "x")
    assert (first.fresh, second.fresh) == (True, False)
    assert "nothing to do" in second.lines()[0]
    assert second.manifest == first.manifest
    assert {path.name: path.stat().st_mtime_ns for path in first.path.iterdir()} == before
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["pets"]


def test_other_content_under_the_same_name_is_refused_until_replaced(tmp_path):
    folder = class_folders(tmp_path / "pets")
    first = prepare(str(folder), root=tmp_path / "x")
    with pytest.raises(DataError, match=r"seed 0, now 1.*--replace"):
        prepare(str(folder), root=tmp_path / "x", seed=1)
    picture(folder / "a" / "0.png", seed=99)
    with pytest.raises(DataError, match=r"other images or labels.*--replace"):
        prepare(str(folder), root=tmp_path / "x")
    assert open_prepared(first.path).digest == first.manifest.digest
    replaced = prepare(str(folder), root=tmp_path / "x", replace=True)
    assert replaced.fresh
    assert open_prepared(first.path).digest != first.manifest.digest


def test_a_set_with_a_changed_file_is_made_anew_with_replace(tmp_path):
    first = prepare("synthetic", root=tmp_path)
    changed = first.path / "train_images.npy"
    changed.write_bytes(changed.read_bytes()[:-1] + b"?")
    assert not prepare("synthetic", root=tmp_path).fresh, "sizes alone are looked at where nothing is to be replaced"
    assert prepare("synthetic", root=tmp_path, replace=True).fresh
    assert not prepare("synthetic", root=tmp_path, replace=True).fresh


def test_a_damaged_set_is_made_anew_with_replace(tmp_path):
    first = prepare("synthetic", root=tmp_path)
    (first.path / "val_images.npy").unlink()
    with pytest.raises(DataError, match="with --replace"):
        prepare("synthetic", root=tmp_path)
    assert prepare("synthetic", root=tmp_path, replace=True).manifest == first.manifest


def test_a_folder_of_something_else_is_never_touched(tmp_path):
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "thesis.tex").write_text("mine")
    with pytest.raises(DataError, match="holds no prepared set"):
        prepare("digits", root=tmp_path, replace=True)
    assert content(tmp_path / "digits") == {"thesis.tex": b"mine"}


def test_broken_files_are_named_and_left_out(tmp_path):
    folder = class_folders(tmp_path / "pets")
    whole = (folder / "a" / "0.png").read_bytes()
    (folder / "a" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "b" / "empty.jpg").touch()
    (folder / "b" / "notes.txt").write_text("hello")
    (folder / "stray.png").write_bytes(whole)
    (folder / "a" / ".DS_Store").write_text("hidden")
    done = prepare(str(folder), root=tmp_path / "x")
    assert [one.key for one in done.manifest.quarantined] == ["a/cut.png", "b/empty.jpg", "b/notes.txt", "stray.png"]
    assert "truncated" in done.manifest.quarantined[0].reason
    assert sum(done.manifest.sizes.values()) == 20
    assert any("a/cut.png" in line for line in done.lines())


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_prepare_leaves_nothing(tmp_path, interrupt):
    def stop(done, total):
        raise interrupt

    with pytest.raises(interrupt):
        prepare("synthetic", root=tmp_path / "x", progress=stop)
    assert list((tmp_path / "x").iterdir()) == []


def test_a_killed_prepare_leaves_nothing_half_made(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path; from isoflop.data import prepare\n"
        "prepare('synthetic', root=Path(sys.argv[1]), progress=lambda *_: os.kill(os.getpid(), signal.SIGKILL))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "synthetic").exists()
    assert prepare("synthetic", root=tmp_path).fresh
    assert [path.name for path in tmp_path.iterdir()] == ["synthetic"]


def test_bad_input_writes_nothing(tmp_path):
    only = tmp_path / "one"
    picture(only / "a" / "1.png")
    for what, options, words in (
        (str(only), {}, "holds one class, 'a'"),
        ("digitz", {}, "did you mean 'digits'"),
        (str(tmp_path / "nowhere"), {}, "is no known data set and no folder"),
        ("digits", {"resolution": 4}, "resolution: 4 is out of range"),
        ("digits", {"val": 2.0}, "2 is no share"),
        ("digits", {"name": "../up"}, "cannot name a prepared set"),
    ):
        with pytest.raises(DataError, match=words) as caught:
            prepare(what, root=tmp_path / "x", **options)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "x").exists()


def test_a_root_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="cannot be written"):
        prepare("synthetic", root=tmp_path / "file")


def test_progress_counts_every_image(tmp_path):
    seen = []
    prepare("synthetic", root=tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (240, 240)
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    ("sizes", "asked", "stored"),
    [
        ([(16, 16)], None, 16),
        ([(300, 300)], None, 64),
        ([(20, 50)], None, 16),
        ([(40, 90), (90, 41), (500, 30)], None, 40),
        ([(5, 5)], None, 8),
        ([(20, 50)], 12, 12),
    ],
)
def test_the_stored_resolution_is_stated(tmp_path, sizes, asked, stored):
    folder = tmp_path / "pets"
    for seed in range(18):
        picture(folder / "ab"[seed % 2] / f"{seed}.png", size=sizes[seed % len(sizes)], seed=seed)
    made = prepare(str(folder), root=tmp_path / "x", resolution=asked).manifest
    assert made.image == (3, stored, stored)
    assert made.resolution.startswith(("as asked", "native", "median short side"))


@pytest.mark.parametrize(("colour", "channels"), [(False, 1), (True, 3)])
def test_grey_stays_grey_only_where_all_are(tmp_path, colour, channels):
    folder = class_folders(tmp_path / "pets", grey=True)
    if colour:
        picture(folder / "a" / "0.png", seed=0)
    made = prepare(str(folder), root=tmp_path / "x").manifest
    assert made.image[0] == channels
    assert len(made.mean) == len(made.std) == channels


def test_the_order_on_disk_does_not_matter(tmp_path):
    first, second = tmp_path / "one" / "pets", tmp_path / "two" / "pets"
    class_folders(first)
    for path in sorted(first.rglob("*.png"), reverse=True):
        target = second / path.relative_to(first)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    digests = {
        prepare(str(folder), root=tmp_path / folder.parent.name / "x").manifest.digest for folder in (first, second)
    }
    assert len(digests) == 1


def test_importing_and_opening_load_neither_torch_nor_scikit_learn(tmp_path):
    folder = prepare("synthetic", root=tmp_path).path
    code = (
        "import sys; from pathlib import Path; from isoflop.data import open_prepared\n"
        "open_prepared(Path(sys.argv[1])).split('train')\n"
        "print([m for m in ('torch', 'torchvision', 'sklearn', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_shards_hold_the_same_images_in_the_same_splits_in_an_order_of_their_own(tmp_path):
    folder = class_folders(tmp_path / "pets", count=30)
    plain, mixed = (
        open_prepared(prepare(str(folder), root=tmp_path / str(shard), shard=shard).path) for shard in (0, 8)
    )
    assert (plain.manifest.shard, mixed.manifest.shard) == (0, 8)
    assert plain.digest != mixed.digest
    assert (plain.mean, plain.std, plain.manifest.counts) == (mixed.mean, mixed.std, mixed.manifest.counts)
    for split in ("train", "val", "test"):
        where = [mixed.keys(split).index(key) for key in plain.keys(split)]
        for stored, other in zip(plain.split(split), mixed.split(split), strict=True):
            assert np.array_equal(stored, other[where])
    places = [mixed.keys("train").index(key) for key in plain.keys("train")]
    assert abs(np.corrcoef(places, range(len(places)))[0, 1]) < 5 / len(places) ** 0.5
    assert "in shards of 8 images" in "\n".join(prepare(str(folder), root=tmp_path / "again", shard=8).lines())


def test_other_shards_are_another_request(tmp_path):
    folder = class_folders(tmp_path / "pets")
    prepare(str(folder), root=tmp_path / "x", shard=8)
    assert not prepare(str(folder), root=tmp_path / "x", shard=8).fresh
    with pytest.raises(DataError, match=r"shard 8, now None"):
        prepare(str(folder), root=tmp_path / "x")


def test_a_set_of_more_than_half_the_memory_is_put_into_shards(tmp_path, monkeypatch):
    folder = class_folders(tmp_path / "pets")  # 20 images of 16 x 16 x 3 bytes
    for total, shard in ((2 * 20 * 768, 0), (2 * 20 * 768 - 1, 5)):
        monkeypatch.setattr("isoflop.data.staging.SHARD", 5 * 768)
        monkeypatch.setattr("psutil.virtual_memory", lambda total=total: SimpleNamespace(total=total))
        assert prepare(str(folder), root=tmp_path / str(total)).manifest.shard == shard


def test_what_reads_and_writes_in_pieces_writes_the_same(tmp_path, monkeypatch):
    folder = class_folders(tmp_path / "pets")
    whole = prepare(str(folder), root=tmp_path / "whole").path
    for name in ("staging.READ", "files.BYTES", "channels.BYTES"):
        monkeypatch.setattr(f"isoflop.data.{name}", 1000)
    assert content(prepare(str(folder), root=tmp_path / "pieces").path) == content(whole)


def test_a_set_of_several_times_the_memory_is_prepared(tmp_path):
    """640 images are 126 MB as stored; all that the process may take for itself beyond what it has is 40 MB."""
    for name, count in (("small", 4), ("large", 640)):
        class_folders(tmp_path / name, count=count // 2)
    limited = """
import resource, sys
from pathlib import Path
from isoflop.data import ordered, prepare
ordered._cores = lambda: 2
folder = Path(sys.argv[1])
prepare(str(folder / "small"), root=folder / "data", resolution=256)  # whatever is loaded is loaded
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
taken = int(status["VmData"].split()[0]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (taken + 40 * 2**20, taken + 40 * 2**20))
made = prepare(str(folder / "large"), root=folder / "data", resolution=256).manifest
print(sum(made.files[f"{split}_images.npy"]["bytes"] for split in ("train", "val", "test")))
"""
    arguments = [sys.executable, "-c", limited, str(tmp_path)]
    done = subprocess.run(arguments, capture_output=True, check=False, env={**os.environ, "MALLOC_ARENA_MAX": "1"})
    assert done.returncode == 0, done.stderr.decode()
    assert int(done.stdout) > 2.9 * 40 * 2**20
