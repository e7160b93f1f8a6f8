"""The work on an order.

No order may be lost when this file is edited while orders are in flight, and hob restarts the worker:
a task is acknowledged when it is done (acks_late), so the broker hands what a stopped worker had in hand to the
next one, and what failed is handed back to it. A task may then run twice, and its steps are such that the second
run changes nothing.
"""

import os
import signal
import time
from contextlib import contextmanager

import psycopg2
import redis
from celery import Celery
from celery.exceptions import Reject
from celery.signals import worker_ready
from celery.utils.log import get_task_logger
from celery.worker import state
from kombu import Connection
from psycogreen.gevent import patch_psycopg

patch_psycopg()  # queries yield to the other greenlets

# On this pool Celery sends acknowledgements, and sees that it should stop, between two waits of 2 s for the
# broker. Shorter waits: the next task comes sooner, and an edit is live sooner.
drain_events = Connection.drain_events
Connection.drain_events = lambda self, timeout=None, **more: drain_events(
    self, timeout=timeout and min(timeout, 0.05), **more
)

PACKING_SECONDS = 0.5

log = get_task_logger(__name__)
cache = redis.Redis.from_url(os.environ["REDIS_URL"])
app = Celery("shop", broker=os.environ["BROKER_URL"])
app.conf.update(
    task_default_queue="orders",
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,  # the result is in the database
    worker_prefetch_multiplier=1,
    broker_connection_max_retries=None,
)


@worker_ready.connect
def stop_between_tasks(**_):
    """Celery's own handler raises where the signal finds Python, and on this pool that may be in a task."""
    signal.signal(signal.SIGTERM, lambda *_: setattr(state, "should_stop", 0))


@contextmanager
def database():
    connection = psycopg2.connect("")  # PGHOST and its like say where
    try:
        with connection, connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


@app.task(name="shop.work_on")
def work_on(order_id):
    try:
        pack(order_id)
    except Exception as problem:  # the database is away, or there is a mistake in this file: the next try may do
        log.exception("order %s: again in a second", order_id)
        time.sleep(1)
        raise Reject(problem, requeue=True)


def pack(order_id):
    with database() as cursor:
        cursor.execute(
            "UPDATE orders SET status = 'packing', attempts = attempts + 1 FROM products "
            "WHERE orders.id = %s AND status <> 'done' AND products.id = product_id "
            "RETURNING name, quantity, price_cents",
            (order_id,),
        )
        order = cursor.fetchone()
    if order is None:
        log.info("order %s: done already", order_id)
        return

    name, quantity, price = order
    log.info("order %s: packing %s x %s", order_id, quantity, name)
    time.sleep(PACKING_SECONDS)
    total = quantity * price
    result = f"{quantity} x {name} packed"

    with database() as cursor:
        cursor.execute(
            "UPDATE orders SET status = 'done', total_cents = %s, result = %s, done_at = now() "
            "WHERE id = %s AND status <> 'done'",
            (total, result, order_id),
        )
        first = cursor.rowcount == 1
    if first:
        log.info("order %s: %s", order_id, result)
        try:
            cache.incr("orders:done")
        except redis.RedisError as problem:  # a counter is not worth an order
            log.warning("cannot count order %s: %s", order_id, problem)
