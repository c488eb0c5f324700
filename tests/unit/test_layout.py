"""The folders are as Python needs them."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_platform_folder_does_not_shadow_pythons_platform():
    assert not [name for name in ("__init__.py", "conftest.py") if (ROOT / "platform" / name).exists()]
    assert platform.system()
    done = subprocess.run(
        [sys.executable, "-c", "import platform; print(platform.system())"],
        cwd=ROOT / "platform",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == platform.system()


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, isoflop; print([m for m in ('torch', 'ray', 'mlflow', 'optuna', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_is_answered_without_torch_ray_or_mlflow():
    code = (
        "import sys; sys.argv = ['isoflop', '--help']\n"
        "from isoflop.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('torch', 'ray', 'mlflow', 'optuna', 'numpy', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage: isoflop" in done.stdout
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_every_public_name_resolves():
    import isoflop

    assert list(isoflop.__all__) == sorted(isoflop.__all__)
    assert all(getattr(isoflop, name) is not None for name in isoflop.__all__)
