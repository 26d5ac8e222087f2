"""For each event of the suggestions pipeline: the data it needs and the expected response."""

from __future__ import annotations

from tests.contract.answers import Answers, a_job, a_job_after, done

ANSWERS: Answers = {
    "generate_suggestions.first_attempt": (a_job, done("generate_suggestions")),
    "generate_suggestions.retry": (a_job, done("generate_suggestions")),
    "validate_suggestions.first_attempt": (a_job_after("generate_suggestions"), done("validate_suggestions")),
    "validate_suggestions.retry": (a_job_after("generate_suggestions"), done("validate_suggestions")),
}
