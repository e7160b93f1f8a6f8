"use strict";

const $ = (id) => document.getElementById(id);
const money = (cents) => (cents / 100).toFixed(2) + " €";

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

async function api(path, options) {
  const answer = await fetch("api/" + path, options);
  if (!answer.ok) throw new Error(`${path || "/"}: ${answer.status}`);
  return answer.json();
}

function showState(up, text) {
  $("state").className = "state " + (up ? "up" : "down");
  $("state").textContent = text;
}

function showOrders(orders) {
  if (!orders.length) return;
  $("orders").replaceChildren(...orders.map((order) => {
    const row = element("tr");
    const took = order.done_at ? (new Date(order.done_at) - new Date(order.placed_at)) / 1000 : null;
    row.append(
      element("td", "", order.id),
      element("td", "", `${order.emoji} ${order.quantity} × ${order.product}`),
      element("td", "badge " + order.status, order.status),
      element("td", "number", order.total_cents === null ? "" : money(order.total_cents)),
      element("td", "number", took === null ? "" : took.toFixed(1) + " s"),
    );
    return row;
  }));
}

async function place(product) {
  try {
    await api("orders", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ product_id: product.id, quantity: 1 }),
    });
    showOrders(await api("orders"));
  } catch (problem) {
    showState(false, "the order was not taken: " + problem.message);
  }
}

async function showShelf() {
  const products = await api("products");
  $("shelf").replaceChildren(...products.map((product) => {
    const button = element("button");
    button.type = "button";
    button.title = "Order one";
    button.append(
      element("span", "emoji", product.emoji),
      element("span", "name", product.name),
      element("span", "price", money(product.price_cents)),
    );
    button.addEventListener("click", () => place(product));
    return button;
  }));
}

async function look() {
  try {
    const [shop, orders, stats] = await Promise.all([api(""), api("orders"), api("stats")]);
    if (!$("shelf").children.length) await showShelf();
    $("greeting").textContent = shop.greeting;
    $("stats").textContent = `· ${stats.placed} placed, ${stats.done} done`;
    showOrders(orders);
    showState(true, "live");
  } catch (problem) {
    showState(false, "the api is away: " + problem.message);
  }
  setTimeout(look, 700);
}

look();
