-- Göteborg: the seed's orchestra becomes this one.
-- It plays by the river and on the islands.
-- Run it behind `seed.sql`, as often as you like. Everybody in it and every hall is invented.

UPDATE orchestra SET name = 'Älvstrandens orkester', city = 'Göteborg', hall = 'Kajsalen' WHERE id = 1;

UPDATE musicians
SET
    first_name = names.first_name,
    last_name = names.last_name,
    email = lower(translate(names.first_name || '.' || names.last_name, 'åäöÅÄÖéü', 'aaoaaoeu')) || '@alvstranden.example',
    city = (ARRAY['Göteborg', 'Mölndal', 'Kungälv', 'Öckerö'])[1 + n % 4]
FROM generate_series(1, 48) AS n
CROSS JOIN LATERAL (SELECT
    (ARRAY['Astrid', 'Birk', 'Carola', 'Didrik', 'Elsa', 'Finn', 'Gunvor', 'Håkan', 'Ingvar', 'Jonna', 'Kerstin',
           'Lovisa', 'Måns', 'Nora', 'Olle', 'Petra', 'Rut', 'Stellan', 'Tea', 'Uno', 'Viggo', 'Wilma', 'Yngve', 'Östen'])[1 + n * 7 % 24] AS first_name,
    (ARRAY['Älvklang', 'Kajström', 'Brännklang', 'Vågtoft', 'Skärton', 'Kobbnot', 'Fyrpauk', 'Seglander', 'Tångviol',
           'Havslur', 'Bryggtakt', 'Måskvist', 'Grynnfagott', 'Rödluft', 'Saltén', 'Sillharpa', 'Tonholmen', 'Vindresa',
           'Ytterclef', 'Bohustakt', 'Dyningius', 'Ekolod', 'Farledén', 'Hamnoboe', 'Krabbdur'])[1 + n * 11 % 25] AS last_name
) AS names
WHERE musicians.id = n;

UPDATE concerts
SET title = own.title, programme = own.programme, venue = own.venue, starts_at = own.starts_at
FROM (VALUES
    (1, 'Quay opening', 'Sea overture, violin concerto, symphony no. 1', 'Kajsalen', TIMESTAMPTZ '2026-09-03 19:00:00+02'),
    (2, 'West wind', 'Cello concerto, four sea pictures', 'Kajsalen', TIMESTAMPTZ '2026-10-15 19:00:00+02'),
    (3, 'The lighthouse keeper', 'A family tale with orchestra', 'Fyrscenen', TIMESTAMPTZ '2026-11-14 13:00:00+01'),
    (4, 'Light on the river', 'Suite for strings, choir and harp', 'Varvskyrkan', TIMESTAMPTZ '2026-12-13 18:00:00+01'),
    (5, 'New Year on the quay', 'Waltzes, polkas, overtures', 'Kajsalen', TIMESTAMPTZ '2027-01-01 16:00:00+01'),
    (6, 'Ice in the harbour', 'Symphony no. 4, nocturne', 'Kajsalen', TIMESTAMPTZ '2027-02-11 19:00:00+01'),
    (7, 'New from the west', 'Two first performances', 'Silo 4', TIMESTAMPTZ '2027-03-04 19:00:00+01'),
    (8, 'Passion', 'Oratorio for soloists, choir and orchestra', 'Varvskyrkan', TIMESTAMPTZ '2027-03-25 18:00:00+01'),
    (9, 'Young soloists', 'Three concertos', 'Kajsalen', TIMESTAMPTZ '2027-04-15 19:00:00+02'),
    (10, 'Out to the islands', 'Dances, symphony no. 6', 'Öscenen', TIMESTAMPTZ '2027-06-05 17:00:00+02')
) AS own (id, title, programme, venue, starts_at)
WHERE concerts.id = own.id;

-- A concert of its own, in June on a barge, and its chairs.
INSERT INTO concerts (id, title, programme, venue, starts_at, fee, created_at)
VALUES (11, 'Brass on the barge', 'Fanfares and chorales', 'Pråmen', '2027-06-12 20:00:00+02', 2900, '2026-07-01 10:00:00+02')
ON CONFLICT (id) DO NOTHING;

INSERT INTO gigs (id, concert_id, instrument_id, part, created_at)
VALUES
    (61, 11, 9, 'Horn 3', TIMESTAMPTZ '2026-07-01 10:05:00+02'),
    (62, 11, 10, 'Trumpet 2', TIMESTAMPTZ '2026-07-01 10:06:00+02'),
    (63, 11, 11, 'Trombone 2', TIMESTAMPTZ '2026-07-01 10:07:00+02')
ON CONFLICT (id) DO NOTHING;

-- Answers that came in here. The trigger fills the chairs, tells the others and books the fees.
UPDATE invitations
SET status = 'ACCEPTED', responded_at = sent_at + INTERVAL '9 hours', message = 'With pleasure, and I bring my own stand'
WHERE id IN (222, 292, 372) AND status = 'SENT';
