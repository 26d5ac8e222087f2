"""The rows of the table that compares Millrace with other systems."""

from __future__ import annotations

from tests.bench.peers.losses import Losses
from tests.bench.peers.measuring import Killed, Measured
from tests.bench.peers.report import HEADINGS, dropped_cell, killed_cell, markdown, row


def test_the_row_of_a_system_that_was_not_measured_has_the_reason() -> None:
    *_, line = markdown([["LangGraph", "not measured: there is no .venv-peers/langgraph"]]).splitlines()
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells == ["LangGraph", "not measured: there is no .venv-peers/langgraph", *[""] * (len(HEADINGS) - 2)]


def test_a_row_without_measurements_has_a_cell_for_every_heading() -> None:
    assert len(row("nothing measured", Measured())) == len(HEADINGS)


def test_the_losses_of_several_jobs_are_given_with_the_total_of_tokens() -> None:
    assert dropped_cell([Losses(3, 0), Losses(0, 27)]) == "3 / 27 of 400"


def test_a_killed_job_is_given_with_its_end_losses_and_model_calls() -> None:
    never = Killed(Losses(lost=120), model_calls=1, end="never", seconds=40.0, resets=0)
    retried = Killed(Losses(), model_calls=2, end="complete", seconds=4.84, resets=1)
    assert killed_cell([never]) == "never (40 s waited), 120 / 0, 1 call"
    assert killed_cell([retried, retried]) == "complete in 4.8 s, 0 / 0, 2 calls, with a reset"
