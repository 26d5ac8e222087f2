"""Price the channel: a second of text in one tab, and an hour of a tab in which nothing happens."""

from __future__ import annotations

from shared.channel.announcer import BETWEEN_POSTS_SECONDS, WATCHED_REFRESH_SECONDS
from shared.jobs.aws_prices import PriceList
from tools.cost.bill import JOBS, Line
from tools.cost.counts import GB

TEXT_BYTES = 300
"""The bytes of a message with 100 ms of text. It is assumed: the names of the topic and the fields are most of it."""

PINGS_AN_HOUR = 15
"""A client in whose topics nothing happens pings every four minutes."""

PING_SECONDS = 0.05
"""How long a ping's function runs. It is assumed: four reads, two writes and a post, one after another."""

PING_GB = 0.5
"""The memory of the ping's function in GB."""


def bill_for_seconds_of_text(prices: PriceList) -> list[Line]:
    """Return what 1,000 seconds of text in one tab add. The function that appends the text runs anyway."""
    posts = 1 / BETWEEN_POSTS_SECONDS
    uses = [
        ("messages to the tab", posts, "websocket_message"),
        ("reads of the subscriptions, strongly consistent", 1 / WATCHED_REFRESH_SECONDS, "dynamodb_read"),
        ("connection minutes", 1 / 60, "websocket_minute"),
        ("data transfer to the internet", posts * TEXT_BYTES / GB, "transfer_out"),
    ]
    return [Line(what, count, prices[price], JOBS) for what, count, price in uses]


def bill_for_idle_hours(prices: PriceList) -> list[Line]:
    """Return what 1,000 hours of a tab cost that is subscribed to one job in which nothing happens."""
    uses = [
        ("connection minutes", 60, "websocket_minute"),
        ("pings and pongs", 2 * PINGS_AN_HOUR, "websocket_message"),
        ("Lambda invocations", PINGS_AN_HOUR, "lambda_request"),
        ("Lambda ping", PINGS_AN_HOUR * PING_SECONDS * PING_GB, "lambda_gb_second"),
        ("writes of the connection and its slot", 2 * PINGS_AN_HOUR, "dynamodb_write"),
        (
            "reads of the connection, its slot, its subscription, the log's end and the job",
            5 * PINGS_AN_HOUR,
            "dynamodb_read",
        ),
    ]
    return [Line(what, count, prices[price], JOBS) for what, count, price in uses]
