-- Malmö: the seed's orchestra becomes this one.
-- A smaller house: eight musicians are on leave, and one concert is called off.
-- Run it behind `seed.sql`, as often as you like. Everybody in it and every hall is invented.

UPDATE orchestra SET name = 'Sundets filharmoni', city = 'Malmö', hall = 'Brosalen' WHERE id = 1;

UPDATE musicians
SET
    first_name = names.first_name,
    last_name = names.last_name,
    email = lower(translate(names.first_name || '.' || names.last_name, 'åäöÅÄÖéü', 'aaoaaoeu')) || '@sundets.example',
    city = (ARRAY['Malmö', 'Lund', 'Trelleborg'])[1 + n % 3]
FROM generate_series(1, 48) AS n
CROSS JOIN LATERAL (SELECT
    (ARRAY['Agnes', 'Bosse', 'Cajsa', 'David', 'Esbjörn', 'Frida', 'Gösta', 'Hedda', 'Ivar', 'Julia', 'Knut', 'Lilly',
           'Märta', 'Noa', 'Oskar', 'Pernilla', 'Rikard', 'Siv', 'Tage', 'Ulrika', 'Vera', 'William', 'Ylle', 'Åsa'])[1 + n * 5 % 24] AS first_name,
    (ARRAY['Sundklang', 'Brokvist', 'Slättviol', 'Betfelt', 'Rapsgren', 'Kullaton', 'Spettkak', 'Åkerlur', 'Möllestråk',
           'Lergök', 'Pilevall', 'Tångrytm', 'Backaharpa', 'Österlyd', 'Gåspauk', 'Korsvirke', 'Vallmotakt',
           'Strandoboe', 'Jordéus', 'Lommaklang', 'Skånedur', 'Ringsjöton', 'Hallandsmoll', 'Ljungnot', 'Väderflöjt'])[1 + n * 9 % 25] AS last_name
) AS names
WHERE musicians.id = n;

UPDATE concerts
SET title = own.title, programme = own.programme, venue = own.venue, starts_at = own.starts_at
FROM (VALUES
    (1, 'Under the bridge', 'Overture, violin concerto, symphony no. 1', 'Brosalen', TIMESTAMPTZ '2026-09-17 18:30:00+02'),
    (2, 'Harvest', 'Cello concerto, tone poem', 'Brosalen', TIMESTAMPTZ '2026-10-22 18:30:00+02'),
    (3, 'The goose who could count', 'A family tale with orchestra', 'Folkteatern vid sundet', TIMESTAMPTZ '2026-11-08 14:00:00+01'),
    (4, 'Lucia', 'Suite for strings, choir and harp', 'Hamnkyrkan', TIMESTAMPTZ '2026-12-13 17:00:00+01'),
    (5, 'New Year across the water', 'Waltzes, polkas, overtures', 'Brosalen', TIMESTAMPTZ '2027-01-02 16:00:00+01'),
    (6, 'Fog', 'Symphony no. 4, nocturne', 'Brosalen', TIMESTAMPTZ '2027-02-18 18:30:00+01'),
    (7, 'Borderland', 'Two first performances', 'Gamla gasverket', TIMESTAMPTZ '2027-03-12 18:30:00+01'),
    (8, 'Passion', 'Oratorio for soloists, choir and orchestra', 'Hamnkyrkan', TIMESTAMPTZ '2027-03-26 17:00:00+01'),
    (9, 'Young soloists', 'Three concertos', 'Brosalen', TIMESTAMPTZ '2027-04-29 18:30:00+02'),
    (10, 'Yellow fields', 'Dances, symphony no. 6', 'Slottsparken', TIMESTAMPTZ '2027-05-27 19:00:00+02')
) AS own (id, title, programme, venue, starts_at)
WHERE concerts.id = own.id;

UPDATE musicians SET active = false WHERE id BETWEEN 41 AND 48;

-- Called off: its chairs are no longer offered, and whoever has not answered need not.
UPDATE gigs SET status = 'CANCELLED' WHERE concert_id = 9 AND status <> 'CANCELLED';

UPDATE invitations
SET status = 'WITHDRAWN', message = 'The concert is called off'
FROM gigs AS g
WHERE g.id = invitations.gig_id AND g.concert_id = 9 AND invitations.status IN ('SENT', 'ACCEPTED');

-- Answers that came in here. The trigger fills the chairs, tells the others and books the fees.
UPDATE invitations
SET status = 'ACCEPTED', responded_at = sent_at + INTERVAL '31 hours', message = 'Yes, if the trains run'
WHERE id IN (193, 323, 473) AND status = 'SENT';
