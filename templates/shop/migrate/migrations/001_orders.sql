CREATE TABLE orders (
    id         bigserial PRIMARY KEY,
    product_id integer     NOT NULL REFERENCES products,
    quantity   integer     NOT NULL CHECK (quantity BETWEEN 1 AND 99),
    status     text        NOT NULL DEFAULT 'placed' CHECK (status IN ('placed', 'packing', 'done')),
    placed_at  timestamptz NOT NULL DEFAULT now()
);
