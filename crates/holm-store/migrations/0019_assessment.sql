-- A transfer impact assessment is of transfers to a country; any other paper is with a company.
ALTER TABLE residency_paper ALTER COLUMN entity DROP NOT NULL;
ALTER TABLE residency_paper ADD COLUMN country text COLLATE "C" CHECK (country ~ '^[A-Z]{2}$');
ALTER TABLE residency_paper ADD CONSTRAINT residency_paper_of_one CHECK ((entity IS NULL) <> (country IS NULL));
