"""The shop's API: takes orders, stores them, and puts them in the worker's queue."""

import json
import logging
import os
import signal
import sys
import threading
from contextlib import contextmanager
from functools import lru_cache

import psycopg2
import psycopg2.extras
import waitress
from flask import Flask, jsonify, request

GREETING = "Welcome to the shop"

app = Flask(__name__)
app.json.sort_keys = False


@contextmanager
def database():
    connection = psycopg2.connect("", cursor_factory=psycopg2.extras.RealDictCursor)  # PGHOST and its like say where
    try:
        with connection, connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


# Celery and Redis are loaded when they are first needed, so that an edit of this file is live sooner. Requests come on
# several threads, and a module that one is still loading is no module yet for the others.
loading = threading.Lock()


@lru_cache
def queue():
    with loading:
        from celery import Celery

    celery = Celery("shop", broker=os.environ["BROKER_URL"])
    celery.conf.update(
        task_default_queue="orders",
        broker_transport_options={"confirm_publish": True},  # an order is in the queue, or there is an error
    )
    return celery


@lru_cache
def cache():
    with loading:
        import redis

    return redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)


@app.get("/")
def index():
    return jsonify(service="api", greeting=GREETING)


@app.get("/health")
def health():
    with database() as cursor:
        cursor.execute("SELECT 1")
    return jsonify(status="ok")


@app.get("/products")
def products():
    found = cache().get("products")
    if found is None:
        with database() as cursor:
            cursor.execute("SELECT id, name, emoji, price_cents FROM products ORDER BY id")
            found = json.dumps(cursor.fetchall())
        cache().set("products", found, ex=10)
    return app.response_class(found, mimetype="application/json")


ORDERS = """
    SELECT orders.id, name AS product, emoji, quantity, status, attempts, total_cents, result, placed_at, done_at
    FROM orders JOIN products ON products.id = product_id
"""


def shown(order):
    return {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in order.items()}


@app.get("/orders")
def orders():
    with database() as cursor:
        cursor.execute(ORDERS + "ORDER BY orders.id DESC LIMIT %s", (request.args.get("limit", 20, type=int),))
        return jsonify([shown(order) for order in cursor.fetchall()])


@app.get("/orders/<int:order_id>")
def order(order_id):
    with database() as cursor:
        cursor.execute(ORDERS + "WHERE orders.id = %s", (order_id,))
        found = cursor.fetchone()
    return jsonify(shown(found)) if found else (jsonify(error=f"there is no order {order_id}"), 404)


@app.post("/orders")
def place():
    wanted = request.get_json(silent=True) or {}
    product, quantity = wanted.get("product_id"), wanted.get("quantity", 1)
    if not (isinstance(product, int) and isinstance(quantity, int) and 1 <= quantity <= 99):
        return jsonify(error="an order is {product_id: a number, quantity: 1 to 99}"), 400
    try:
        with database() as cursor:
            cursor.execute(
                "INSERT INTO orders (product_id, quantity) VALUES (%s, %s) RETURNING id", (product, quantity)
            )
            order_id = cursor.fetchone()["id"]
    except psycopg2.errors.ForeignKeyViolation:
        return jsonify(error=f"there is no product {product}"), 400
    # After the commit, since the worker may be quicker than we are.
    queue().send_task("shop.work_on", [order_id])
    cache().incr("orders:placed")
    return jsonify(id=order_id, status="placed"), 201


@app.get("/stats")
def stats():
    placed, done = cache().mget("orders:placed", "orders:done")
    return jsonify(placed=int(placed or 0), done=int(done or 0))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # an order in hand is stored and queued first
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a moment's queue is no news
    print("api: listening on port 8081", flush=True)
    waitress.serve(app, host="0.0.0.0", port=8081, threads=8, _quiet=True)
