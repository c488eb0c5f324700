"""The pages on state folders of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.scaled import plan

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
SCALING, RUNS = "views/scaling.py", "views/runs.py"
PAGES = ["views/leaderboard.py", "views/studies.py"]


def opened(page: str) -> AppTest:
    """The app after a click on a page."""
    app = AppTest.from_file(str(APP), default_timeout=60).run()
    return app.switch_page(page).run()


def texts(app: AppTest) -> str:
    """Everything that is read as Markdown."""
    return "\n".join(element.value for kind in (app.markdown, app.info, app.caption, app.title) for element in kind)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("state", ["home", "journal"])
def test_where_nothing_was_run_a_page_says_what_to_do(request: pytest.FixtureRequest, page: str, state: str) -> None:
    request.getfixturevalue(state)
    app = opened(page)
    assert not app.exception
    assert "Nothing was run here yet" in app.info[0].value
    assert app.code[0].value.startswith("isoflop search")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("state", ["small", "several", "unfinished", "hostile"])
def test_a_page_shows_what_there_is(request: pytest.FixtureRequest, page: str, state: str) -> None:
    request.getfixturevalue(state)
    app = opened(page)
    assert not app.exception
    assert len(app.dataframe) >= 1


def test_a_board_is_that_of_the_metric_that_picks(several: Path) -> None:
    app = opened(PAGES[0])
    frame = app.dataframe[0].value
    assert frame["run"].tolist() == ["x-1-finalists/1", "x-1-finalists/0"]
    assert frame["val"].tolist() == ["0.1000", "0.4000"]
    assert "Loss at its cost" in [element.value for element in app.subheader]
    assert {tile.label: tile.value for tile in app.metric}["Test loss of the pick"] == "-"


def test_leaderboard_has_the_board_of_the_command_line(small: Path) -> None:
    app = opened(PAGES[0])
    frame = app.dataframe[0].value
    assert frame["family"].tolist() == ["resnet", "lenet"]
    assert frame["picked"].tolist() == [True, False]
    assert frame["tie"].tolist() == [1, 2]
    assert frame["test"].tolist()[0].startswith("94.00 [")
    assert frame["trials"].tolist()[0] == "1 complete, 1 pruned, 1 infeasible, 1 failed"
    tiles = {tile.label: tile.value for tile in app.metric}
    assert tiles == {
        "Studies": "1",
        "Trials": "4",
        "Test set opened for": "4 trainings",
        "Test accuracy of the pick": "94.00 %",
    }


def test_a_torn_file_of_predictions_costs_no_page(small: Path) -> None:
    (small / "digits-1-finalists-0-0-test.npz").write_bytes(b"torn")
    app = opened(PAGES[0])
    assert not app.exception
    assert "could not be read" in app.info[0].value
    assert app.dataframe[0].value["tie"].tolist() == [1, 2], "validation still tells them apart"


def test_a_file_that_is_no_journal_is_named(home: Path) -> None:
    (home / "journal.sqlite").write_text("no journal at all " * 100)
    app = opened(PAGES[0])
    assert not app.exception
    assert app.info[0].value == "The journal cannot be read."
    assert "journal.sqlite" in app.code[0].value


def test_studies_show_the_trials_of_the_chosen_one(small: Path) -> None:
    app = opened(PAGES[1])
    app.selectbox(key="study").select("digits-1").run()
    frame = app.dataframe[1].value
    assert frame["state"].tolist() == ["COMPLETE", "PRUNED", "INFEASIBLE", "FAILED"]
    assert frame["rung"].fillna(-1).tolist() == [-1, 1, -1, -1]
    assert {tile.label: tile.value for tile in app.metric}["Best validation accuracy"] == "0.9000"
    app.selectbox(key="curve").select("val_loss").run()
    assert not app.exception


def test_new_events_show_at_the_next_look(small: Path) -> None:
    from isoflop.journal.sqlite import SqliteJournal
    from tests.made_up import Writer

    app = opened(PAGES[1])
    assert len(app.dataframe[0].value) == 2
    Writer(SqliteJournal(small / "journal.sqlite"), "digits-2")
    app.run()
    assert app.dataframe[0].value["study"].tolist() == ["digits-2", "digits-1-finalists", "digits-1"]


@pytest.mark.parametrize("page", PAGES)
def test_no_name_is_read_as_markdown_or_html(hostile: Path, page: str) -> None:
    app = opened(page)
    assert "onerror" not in texts(app)
    assert "onerror" not in "".join(tile.label + tile.value for tile in app.metric)


def test_the_dashboard_writes_nothing(small: Path) -> None:
    before = {path: path.read_bytes() for path in small.iterdir() if path.suffix in {".sqlite", ".npz"}}
    for page in PAGES:
        opened(page)
    assert {path: path.read_bytes() for path in before} == before


def test_a_scaling_study_is_shown_with_what_it_predicted(scaled: Path) -> None:
    app = opened(SCALING)
    assert not app.exception
    app = app.selectbox[0].select("scale-1").run()
    assert not app.exception
    assert {tile.label: tile.value for tile in app.metric} == {
        "Families": "2",
        "Trainings": str(2 * plan().trainings),
        "Predictions inside their band": "4 of 4",
    }
    grown = app.dataframe[0].value
    assert grown["family"].tolist() == ["resnet", "vit"]
    assert all(text[0].isdigit() for text in grown["alpha (depth)"])
    sizes = app.dataframe[1].value
    assert sizes["phi"].tolist()[:9] == [0.5 * step for step in range(9)]
    assert set(sizes["grown"]) == {"climb", "depth", "width", "resolution", "published"}


def test_a_scaling_study_without_a_report_says_so(scaled: Path) -> None:
    app = opened(SCALING)
    app = app.selectbox[0].select("scale-2").run()
    assert "not reported yet" in app.info[0].value
    assert app.code[0].value == "isoflop resume scale-2"


def test_where_nothing_was_scaled_the_page_says_how(small: Path) -> None:
    app = opened(SCALING)
    assert not app.exception
    assert app.code[0].value == "isoflop scale --spec search_spaces/scale_digits.yaml"


def test_an_ablation_is_shown_with_what_choices_are_worth(studied: Path) -> None:
    app = opened(RUNS).selectbox(key="study").select("a").run()
    assert not app.exception
    frame = app.dataframe[0].value
    assert frame["with the default"].tolist() == ["90.00 [89.00, 91.00] %"] * 2 + ["-"]
    assert frame["gain"].tolist() == ["+3.00 [+2.00, +4.00]", "+3.00 [-10.00, +4.00]", "-"]
    assert frame["p"].tolist() == ["0.001", "0.4", "-"]
    tiles = {tile.label: tile.value for tile in app.metric}
    assert tiles["Choices whose gain is told"] == "1 of 3"
    assert tiles["Validation accuracy as it is"] == "93.00 [92.00, 94.00] %"
    assert "onerror" not in texts(app)
    assert "onerror" not in "".join(tile.label + tile.value for tile in app.metric)


def test_a_cross_validation_is_shown_fold_by_fold(studied: Path) -> None:
    app = opened(RUNS).selectbox(key="study").select("f").run()
    assert not app.exception
    tiles = {tile.label: tile.value for tile in app.metric}
    assert tiles == {"Validation accuracy, mean over folds": "91.00 [80.00, 97.00] %", "Folds": "2 of 3"}
    assert "onerror" not in texts(app)


def test_a_study_of_a_run_without_a_report_says_so(studied: Path) -> None:
    app = opened(RUNS).selectbox(key="study").select("u").run()
    assert "not reported yet" in app.info[0].value
    assert app.code[0].value == "isoflop resume u"


def test_where_no_run_was_studied_the_page_says_how(small: Path) -> None:
    app = opened(RUNS)
    assert not app.exception
    assert app.code[0].value == "isoflop ablate STUDY-finalists/0"
