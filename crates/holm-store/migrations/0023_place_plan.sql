-- On which plan of its provider's something is, which a region may need. Columns that may be empty; a Holm that does not know
-- them must not go on beside it: it would leave the plan of a place beside the next one.
ALTER TABLE cluster ADD COLUMN place_plan text COLLATE "C" CHECK (place_plan ~ '^[A-Za-z0-9_-]{1,64}$');
ALTER TABLE cluster_copy ADD COLUMN place_plan text COLLATE "C" CHECK (place_plan ~ '^[A-Za-z0-9_-]{1,64}$');
ALTER TABLE residency_copy ADD COLUMN plan text COLLATE "C" CHECK (plan ~ '^[A-Za-z0-9_-]{1,64}$');
