"""What scripts/tour and scripts/shop-check say to the demo shop over HTTP (standard library only)."""

import json
import os
import time
import urllib.error
import urllib.request

WEB = os.environ.get("SHOP_WEB", "http://127.0.0.1:8080")
API = os.environ.get("SHOP_API", "http://127.0.0.1:8081")

# Straight to this machine, whatever proxy its user has.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Failed(Exception):
    """Something that was asked of the shop did not happen."""


def ask(url, body=None, timeout=5):
    """The parsed answer of GET, or of POST where there is a body. Raises Failed."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"} if data else {})
    try:
        with _opener.open(request, timeout=timeout) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as problem:
        raise Failed(f"{url} answered {problem.code}: {problem.read(300).decode(errors='replace').strip()}") from None
    except (OSError, ValueError) as problem:
        raise Failed(f"{url}: {getattr(problem, 'reason', problem)}") from None


def until(what, seconds, probe, every=0.1):
    """Calls probe until it gives something true, and returns that. A probe that raises Failed is asked again."""
    end, last = time.monotonic() + seconds, None
    while True:
        try:
            found = probe()
            if found:
                return found
            last = None
        except Failed as problem:
            last = problem
        if time.monotonic() >= end:
            raise Failed(f"{what}: not within {seconds:g} s" + (f" ({last})" if last else ""))
        time.sleep(every)


def place(product=1, quantity=1):
    """Places an order through the web front and returns its number."""
    return ask(f"{WEB}/api/orders", {"product_id": product, "quantity": quantity}, timeout=30)["id"]


def order(number):
    return ask(f"{WEB}/api/orders/{number}")


def done(number):
    """The order, once the worker has written its result."""
    found = order(number)
    return found if found["status"] == "done" else None


def done_of_last(count):
    """The numbers of those of the last orders that are done."""
    return {found["id"] for found in ask(f"{WEB}/api/orders?limit={count}") if found["status"] == "done"}


def greeting():
    return ask(f"{API}/", timeout=2)["greeting"]
