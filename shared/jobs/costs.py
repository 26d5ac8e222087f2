"""Estimate what a job costs, from what it has used and from list prices."""

from __future__ import annotations

from shared.jobs.aws_prices import PriceList, aws_prices
from shared.jobs.job import Job
from shared.log.usage import ComputeUsage, JobCost, JobUsage, TokenUsage

_DIGITS = 10
"""Decimal places of an estimate: a ten-billionth of a dollar is less than one read unit."""


def usage_of(job: Job) -> JobUsage:
    """Return what the job has used so far, with its estimated price."""
    return usage_with_price(job.usage, job.compute)


def usage_with_price(tokens: TokenUsage, compute: ComputeUsage | None) -> JobUsage:
    """Return tokens and compute together with their estimated price; `compute` is None if it is not known."""
    counts = {name: getattr(tokens, name) for name in TokenUsage.model_fields}
    return JobUsage(**counts, compute=compute, cost=cost_of(tokens, compute, aws_prices()))


def cost_of(tokens: TokenUsage, compute: ComputeUsage | None, prices: PriceList) -> JobCost:
    """Return the estimated price of what a job has used."""
    called_no_model = tokens.total_tokens == 0 and tokens.unreported_calls == 0
    model_usd = 0.0 if called_no_model and tokens.cost_usd is None else tokens.cost_usd
    if compute is None:
        return JobCost(model_usd=model_usd, region=prices.region, prices_of=prices.checked)
    requests = prices["lambda_request"].of(compute.invocations)
    parts = {
        "lambda_usd": prices["lambda_gb_second"].of(compute.lambda_gb_ms / 1000) + requests,
        "step_functions_usd": prices["state_transition"].of(compute.transitions),
        "dynamodb_usd": prices["dynamodb_write"].of(compute.write_units)
        + prices["dynamodb_read"].of(compute.read_units),
        "storage_usd": prices["s3_put"].of(compute.stored_objects),
        "watchers_usd": prices["lambda_gb_second"].of(compute.watcher_gb_ms / 1000),
    }
    rounded = {name: round(usd, _DIGITS) for name, usd in parts.items()}
    aws_usd = round(sum(parts.values()), _DIGITS)
    return JobCost(model_usd=model_usd, aws_usd=aws_usd, **rounded, region=prices.region, prices_of=prices.checked)
