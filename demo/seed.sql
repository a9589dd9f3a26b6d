-- What every orchestra starts with: its instruments, and an orchestra to try things on.
-- Idempotent: a second run finds every row in its place. The same in every environment. Everybody in it is invented;
-- telephone numbers are from the range that is kept for fiction, e-mail addresses from a domain that cannot exist.

INSERT INTO orchestra (name, city, hall, season)
VALUES ('Provorkestern', 'Exempelstad', 'Provsalen', '2026/27')
ON CONFLICT (id) DO NOTHING;

INSERT INTO instruments (id, name, family)
VALUES
    (1, 'Violin', 'STRINGS'),
    (2, 'Viola', 'STRINGS'),
    (3, 'Cello', 'STRINGS'),
    (4, 'Double bass', 'STRINGS'),
    (5, 'Flute', 'WOODWIND'),
    (6, 'Oboe', 'WOODWIND'),
    (7, 'Clarinet', 'WOODWIND'),
    (8, 'Bassoon', 'WOODWIND'),
    (9, 'Horn', 'BRASS'),
    (10, 'Trumpet', 'BRASS'),
    (11, 'Trombone', 'BRASS'),
    (12, 'Timpani', 'PERCUSSION'),
    (13, 'Harp', 'PLUCKED')
ON CONFLICT (id) DO NOTHING;

-- 48 musicians. 24 and 25 have no common factor, so no pair of names comes twice; two rounds of 24 chairs.
INSERT INTO musicians (id, first_name, last_name, email, phone, city, instrument_id, created_at)
SELECT
    n,
    first_name,
    last_name,
    lower(translate(first_name || '.' || last_name, 'åäöÅÄÖé', 'aaoaaoe')) || '@provorkestern.example',
    '+46 70 174 06 ' || (n + 10),
    (ARRAY['Exempelstad', 'Provby', 'Testvik'])[1 + n % 3],
    (ARRAY[1, 1, 2, 3, 1, 9, 5, 1, 2, 3, 4, 6, 1, 7, 2, 8, 1, 10, 3, 9, 1, 11, 12, 13])[1 + n % 24],
    TIMESTAMPTZ '2026-06-01 08:00:00+02' + n * INTERVAL '3 hours'
FROM generate_series(1, 48) AS n
CROSS JOIN LATERAL (SELECT
    (ARRAY['Alva', 'Bo', 'Cilla', 'Dag', 'Ebba', 'Folke', 'Greta', 'Hugo', 'Ines', 'Jon', 'Kaisa', 'Love', 'Maj', 'Nils', 'Ottilia',
           'Pelle', 'Ronja', 'Sixten', 'Tuva', 'Ulf', 'Vendela', 'Wille', 'Ylva', 'Åke'])[1 + n * 7 % 24] AS first_name,
    (ARRAY['Stråkholm', 'Klangby', 'Tonvik', 'Taktlund', 'Notberg', 'Paukmark', 'Viskvist', 'Fagottsson', 'Ackordén', 'Basgren',
           'Cellvik', 'Dämparö', 'Ekotoft', 'Fermatell', 'Glissander', 'Harpsund', 'Intonius', 'Kadensbo', 'Legatoft', 'Mollberg',
           'Oktavlid', 'Pausgård', 'Resonell', 'Stämvall', 'Trillander'])[1 + n * 11 % 25] AS last_name
) AS names
ON CONFLICT (id) DO NOTHING;

INSERT INTO concerts (id, title, programme, venue, starts_at, fee, created_at)
SELECT id, title, programme, 'Provsalen', starts_at, fee, TIMESTAMPTZ '2026-06-15 10:00:00+02'
FROM (VALUES
    (1, 'Season opening', 'Overture, violin concerto, symphony no. 1', TIMESTAMPTZ '2026-09-10 19:00:00+02', 2600),
    (2, 'Autumn evening', 'Cello concerto, tone poem', TIMESTAMPTZ '2026-10-08 19:00:00+02', 2400),
    (3, 'Family concert', 'A tale with orchestra', TIMESTAMPTZ '2026-11-07 13:00:00+01', 1800),
    (4, 'Light in December', 'Suite for strings, choir and harp', TIMESTAMPTZ '2026-12-12 18:00:00+01', 2600),
    (5, 'New Year', 'Waltzes, polkas, overtures', TIMESTAMPTZ '2027-01-01 16:00:00+01', 3200),
    (6, 'Winter', 'Symphony no. 4, nocturne', TIMESTAMPTZ '2027-02-04 19:00:00+01', 2400),
    (7, 'New music', 'Two first performances', TIMESTAMPTZ '2027-03-11 19:00:00+01', 2800),
    (8, 'Passion', 'Oratorio for soloists, choir and orchestra', TIMESTAMPTZ '2027-03-25 18:00:00+01', 3000),
    (9, 'Young soloists', 'Three concertos', TIMESTAMPTZ '2027-04-22 19:00:00+02', 2200),
    (10, 'Into summer', 'Dances, symphony no. 6', TIMESTAMPTZ '2027-06-03 19:00:00+02', 2600)
) AS season (id, title, programme, starts_at, fee)
ON CONFLICT (id) DO NOTHING;

-- Six chairs a concert, in ten kinds. 1 + (…) % 10 gives each concert six different ones.
INSERT INTO gigs (id, concert_id, instrument_id, part, created_at)
SELECT
    (c - 1) * 6 + k,
    c,
    (ARRAY[1, 3, 9, 1, 2, 6, 1, 10, 4, 2])[kind],
    (ARRAY['Violin I, desk 3', 'Cello, desk 2', 'Horn 2', 'Violin II, desk 4', 'Viola, desk 2', 'Oboe 2', 'Violin I, desk 6', 'Trumpet 2',
           'Double bass, desk 2', 'Viola, desk 4'])[kind],
    TIMESTAMPTZ '2026-06-20 09:00:00+02' + c * INTERVAL '1 day' + k * INTERVAL '10 minutes'
FROM generate_series(1, 10) AS c
CROSS JOIN generate_series(1, 6) AS k
CROSS JOIN LATERAL (SELECT 1 + (c * 3 + k) % 10 AS kind) AS kinds
ON CONFLICT (id) DO NOTHING;

-- Who is asked, and what they say. A gig asks up to four who play its instrument, beginning with another one each time.
-- Concerts 1 to 3 have been played, so somebody was found for every chair: the last who was asked. Later, of every five
-- gigs, two have found somebody, one has a no and waits, one waits, and one has asked nobody yet. The triggers do the
-- rest, on the first run only: a row that is there already does not fire them.
INSERT INTO invitations (id, gig_id, musician_id, status, message, sent_at, responded_at)
SELECT
    gig_id * 10 + place,
    gig_id,
    musician_id,
    status,
    CASE status WHEN 'DECLINED' THEN 'Playing elsewhere that week' WHEN 'ACCEPTED' THEN 'Gladly!' END,
    sent_at,
    CASE WHEN status IN ('DECLINED', 'ACCEPTED') THEN sent_at + INTERVAL '26 hours' + musician_id * INTERVAL '7 minutes' END
FROM (
    SELECT
        g.id AS gig_id,
        m.id AS musician_id,
        m.place,
        TIMESTAMPTZ '2026-08-10 10:00:00+02' + g.id * INTERVAL '90 minutes' + m.place * INTERVAL '2 days' AS sent_at,
        (CASE
            WHEN (g.concert_id <= 3 OR g.id % 5 IN (1, 3)) AND m.place = m.asked THEN 'ACCEPTED'
            WHEN (g.concert_id <= 3 OR g.id % 5 IN (1, 3)) AND m.place % 3 = 2 THEN 'WITHDRAWN'
            WHEN g.concert_id <= 3 OR g.id % 5 IN (1, 3) OR (g.id % 5 = 4 AND m.place = 1) THEN 'DECLINED'
            ELSE 'SENT'
        END)::invitation_status AS status
    FROM gigs AS g
    CROSS JOIN LATERAL (
        SELECT
            id,
            row_number() OVER (ORDER BY (id * 29 + g.id * 17) % 97, id) AS place,
            least(count(*) OVER (), 2 + g.id % 3) AS asked
        FROM musicians
        WHERE instrument_id = g.instrument_id AND id <= 48
    ) AS m
    WHERE g.id <= 60 AND (g.concert_id <= 3 OR g.id % 5 <> 0) AND m.place <= m.asked
) AS asked
ORDER BY gig_id, place
ON CONFLICT (id) DO NOTHING;

-- What was played is paid, but for the last concert, which is approved.
UPDATE fees
SET status = (CASE WHEN g.concert_id <= 2 THEN 'PAID' ELSE 'APPROVED' END)::fee_status
FROM invitations AS v
JOIN gigs AS g ON g.id = v.gig_id
WHERE v.id = fees.invitation_id AND fees.status = 'PENDING' AND g.concert_id <= 3 AND v.id <= 1000;

-- Rows up to 1000 are the seed's; those that the app makes come behind them.
SELECT setval(sequence::regclass, greatest(1000, pg_sequence_last_value(sequence::regclass)))
FROM (VALUES ('instruments_id_seq'), ('musicians_id_seq'), ('concerts_id_seq'), ('gigs_id_seq'), ('invitations_id_seq')) AS own (sequence);
