"""The Faust application of a worker: its agents read whole blocks from channels, its control topic says what took effect."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import faust

from pipelines.agents.source import IN_FLIGHT, BlockSource, Fetched, Owner
from schemas.topics import IMAGES

Work = Callable[[Fetched], object]


def make_app(name: str, servers: str, images: Callable[[int], object]) -> faust.App:
    """Return an application that tells `images` the number of each catalog that takes effect.

    `name` is this worker's alone: every worker hears of every catalog.
    """
    app = faust.App(
        name,
        broker=f"kafka://{servers}",
        store="memory://",
        web_enabled=False,
        # topics are declared by `octroi topics apply`, and there are no tables that need a leader
        topic_allow_declare=False,
        topic_disable_leader=True,
        # an event is a block: waiting for an empty stream before a rebalance is done by the source
        stream_wait_empty=False,
        consumer_auto_offset_reset="earliest",
        autodiscover=False,
        # standard output is ours
        worker_redirect_stdouts=False,
    )
    topic = app.topic(IMAGES, value_serializer="raw", key_serializer="raw", value_type=bytes, key_type=bytes)

    # an application whose agents all read channels does not start: Faust needs one topic, and this is a true one
    @app.agent(topic, name="images")
    async def _(stream: Any) -> None:
        async for value in stream:
            await asyncio.get_running_loop().run_in_executor(None, images, int(json.loads(value)["number"]))

    return app


def add_stage(app: faust.App, topic: str, settings: dict[str, Any], owner: Owner, work: Work) -> BlockSource:
    """Add an agent that has `work` done on each block of a topic, in the order of each partition, one after the other."""
    # the source lets in fewer, so that putting never waits and keeps the order
    channel = app.channel(maxsize=2 * IN_FLIGHT)
    source = BlockSource(topic, settings, channel, owner)
    pool = ThreadPoolExecutor(1, topic)

    @app.agent(channel, name=topic)
    async def _(stream: Any) -> None:
        loop = asyncio.get_running_loop()
        async for block in stream:
            try:
                await loop.run_in_executor(pool, work, block)
            except Exception as error:  # the source stops the worker: the next one replays
                block.done(error)
            else:
                block.done(None)

    @app.task  # type: ignore[untyped-decorator]
    async def _() -> None:
        await app.add_runtime_dependency(source)

    return source


def run_app(app: faust.App) -> None:
    """Run the application until SIGTERM; does not return."""
    faust.Worker(app, loglevel="WARN", redirect_stdouts=False, quiet=True).execute_from_commandline()
