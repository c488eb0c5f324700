"""`isoflop describe` refuses what a family cannot take."""

from __future__ import annotations

import sys

import pytest

from isoflop.cli import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("vgg --knob drop_path=0.1", "model.drop_path: vgg has no residual paths that could be dropped; leave it out"),
        ("vit --knob attention=se", "model.attention: vit has no such setting"),
        ("lenet --knob convolution=dilated", "model.convolution: lenet has no such setting"),
        ("convnext --knob pool=pyramid", "'pyramid' is not a legal value of convnext; give one of: average, max"),
        ("resnet --knob activation=swish", "'swish' is not a legal value of resnet; give one of: relu, leaky_relu"),
        (
            "vgg --resolution 8 --stem 4 --knob downsample=lp",
            "model.downsample: vgg of this shape has nothing that could be exchanged for 'lp'; give 'max', or another",
        ),
    ],
)
def test_a_part_that_cannot_be_is_one_line_and_exit_code_2(
    words: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "argv", ["isoflop", "describe", *words.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    found = capsys.readouterr()
    assert ended.value.code == 2
    assert said in found.err
    assert len(found.err.splitlines()) == 1
    assert found.out == ""
