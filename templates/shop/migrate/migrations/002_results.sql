-- What the worker writes. attempts counts how often an order was taken up: more than once where a worker was
-- stopped or lost in the middle.
ALTER TABLE orders
    ADD COLUMN attempts    integer NOT NULL DEFAULT 0,
    ADD COLUMN total_cents integer,
    ADD COLUMN result      text,
    ADD COLUMN done_at     timestamptz;
