-- Stockholm: the seed's orchestra becomes this one.
-- The largest house: twelve more on the list, and two concerts more.
-- Run it behind `seed.sql`, as often as you like. Everybody in it and every hall is invented.

UPDATE orchestra SET name = 'Mälarstadens symfoniker', city = 'Stockholm', hall = 'Holmsalen' WHERE id = 1;

UPDATE musicians
SET
    first_name = names.first_name,
    last_name = names.last_name,
    email = lower(translate(names.first_name || '.' || names.last_name, 'åäöÅÄÖéü', 'aaoaaoeu')) || '@malarstaden.example',
    city = (ARRAY['Stockholm', 'Solna', 'Nacka', 'Södertälje', 'Sigtuna'])[1 + n % 5]
FROM generate_series(1, 48) AS n
CROSS JOIN LATERAL (SELECT
    (ARRAY['Annika', 'Björn', 'Cornelia', 'Dan', 'Edit', 'Fredrik', 'Gun', 'Henning', 'Irma', 'Jack', 'Klara', 'Leo',
           'Matilda', 'Nikolaj', 'Oda', 'Paul', 'Rebecka', 'Samuel', 'Tove', 'Urban', 'Vilgot', 'Wanda', 'Yrsa', 'Örjan'])[1 + n * 11 % 24] AS first_name,
    (ARRAY['Holmklang', 'Brovalv', 'Malmviol', 'Ådstråk', 'Slussenius', 'Gränddur', 'Torgpauk', 'Ekotorn', 'Fjärdlur',
           'Kastellén', 'Sjötakt', 'Kungsnot', 'Vasaharpa', 'Djurtoft', 'Södergök', 'Norrton', 'Österoboe',
           'Västermoll', 'Mälarflöjt', 'Skeppslyd', 'Tegelclef', 'Årstakt', 'Liljeklang', 'Rosenvik', 'Tornérus'])[1 + n * 7 % 25] AS last_name
) AS names
WHERE musicians.id = n;

UPDATE concerts
SET title = own.title, programme = own.programme, venue = own.venue, starts_at = own.starts_at
FROM (VALUES
    (1, 'City of islands', 'Overture, violin concerto, symphony no. 1', 'Holmsalen', TIMESTAMPTZ '2026-09-09 19:30:00+02'),
    (2, 'October nights', 'Cello concerto, tone poem', 'Holmsalen', TIMESTAMPTZ '2026-10-07 19:30:00+02'),
    (3, 'The tram that wanted to fly', 'A family tale with orchestra', 'Spårvagnshallen', TIMESTAMPTZ '2026-11-15 12:00:00+01'),
    (4, 'December light', 'Suite for strings, choir and harp', 'Holmkyrkan', TIMESTAMPTZ '2026-12-16 19:00:00+01'),
    (5, 'New Year in the city', 'Waltzes, polkas, overtures', 'Holmsalen', TIMESTAMPTZ '2027-01-01 17:00:00+01'),
    (6, 'Snow', 'Symphony no. 4, nocturne', 'Holmsalen', TIMESTAMPTZ '2027-02-03 19:30:00+01'),
    (7, 'Unheard', 'Two first performances', 'Reaktorn', TIMESTAMPTZ '2027-03-10 19:30:00+01'),
    (8, 'Passion', 'Oratorio for soloists, choir and orchestra', 'Holmkyrkan', TIMESTAMPTZ '2027-03-26 18:00:00+01'),
    (9, 'Young soloists', 'Three concertos', 'Holmsalen', TIMESTAMPTZ '2027-04-21 19:30:00+02'),
    (10, 'June night', 'Dances, symphony no. 6', 'Parkscenen', TIMESTAMPTZ '2027-06-02 20:00:00+02')
) AS own (id, title, programme, venue, starts_at)
WHERE concerts.id = own.id;

INSERT INTO musicians (id, first_name, last_name, email, phone, city, instrument_id, created_at)
SELECT
    n,
    first_name,
    last_name,
    lower(translate(first_name || '.' || last_name, 'åäö', 'aao')) || '@malarstaden.example',
    '+46 70 174 06 ' || (n + 10),
    'Stockholm',
    (ARRAY[1, 1, 2, 3, 1, 9])[1 + n % 6],
    TIMESTAMPTZ '2026-08-01 08:00:00+02' + n * INTERVAL '1 hour'
FROM generate_series(49, 60) AS n
CROSS JOIN LATERAL (SELECT
    (ARRAY['Hjördis', 'Truls', 'Saga', 'Malte'])[1 + n % 4] AS first_name,
    (ARRAY['Drottning', 'Skansell', 'Fiskartorp'])[1 + n % 3] || 'klang' AS last_name
) AS names
ON CONFLICT (id) DO NOTHING;

INSERT INTO concerts (id, title, programme, venue, starts_at, fee, created_at)
VALUES
    (11, 'Music for a royal boat', 'Suites for wind and strings', 'Ekbryggan', '2027-05-15 15:00:00+02', 3100, '2026-07-01 10:00:00+02'),
    (12, 'Archipelago tour', 'Overtures and songs', 'Utskärsscenen', '2027-06-19 16:00:00+02', 3400, '2026-07-01 10:00:00+02')
ON CONFLICT (id) DO NOTHING;

INSERT INTO gigs (id, concert_id, instrument_id, part, created_at)
SELECT
    (c - 1) * 6 + k,
    c,
    (ARRAY[1, 1, 2, 3, 9, 9])[k],
    (ARRAY['Violin I, desk 2', 'Violin II, desk 3', 'Viola, desk 3', 'Cello, desk 3', 'Horn 1', 'Horn 4'])[k],
    TIMESTAMPTZ '2026-07-02 09:00:00+02' + c * INTERVAL '1 day' + k * INTERVAL '10 minutes'
FROM generate_series(11, 12) AS c
CROSS JOIN generate_series(1, 6) AS k
ON CONFLICT (id) DO NOTHING;

-- Everybody on the longer list who plays the instrument is asked; the numbers go on behind the seed's.
INSERT INTO invitations (id, gig_id, musician_id, sent_at)
SELECT 600 + g.id * 2 + m.id % 2, g.id, m.id, TIMESTAMPTZ '2026-09-20 12:00:00+02' + m.id * INTERVAL '5 minutes'
FROM gigs AS g
JOIN musicians AS m ON m.instrument_id = g.instrument_id AND m.id BETWEEN 49 AND 60
WHERE g.id BETWEEN 61 AND 72
ORDER BY 1
ON CONFLICT DO NOTHING;

-- Answers that came in here. The trigger fills the chairs, tells the others and books the fees.
UPDATE invitations
SET status = 'ACCEPTED', responded_at = sent_at + INTERVAL '14 hours', message = 'Count me in'
WHERE id IN (242, 321, 471, 723) AND status = 'SENT';
