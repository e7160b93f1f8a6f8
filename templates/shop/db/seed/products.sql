-- The catalogue that a new shop opens with. What grows with the code (orders) is in ../../migrate.
CREATE TABLE products (
    id          serial PRIMARY KEY,
    name        text    NOT NULL UNIQUE,
    emoji       text    NOT NULL,
    price_cents integer NOT NULL CHECK (price_cents > 0)
);

INSERT INTO products (name, emoji, price_cents) VALUES
    ('Espresso cups',  '☕️', 1850),
    ('Enamel teapot',  '🫖', 4200),
    ('Beeswax candle', '🕯️', 950),
    ('Linen apron',    '👕', 3600),
    ('Cork notebook',  '📓', 1275),
    ('Potted fern',    '🪴', 1490);
