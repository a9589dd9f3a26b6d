-- What the booker looks at first in the morning: chairs without a substitute.
CREATE VIEW "open_gigs" AS
SELECT
    g."id" AS "gig_id",
    c."title" AS "concert",
    c."starts_at",
    g."part",
    i."name" AS "instrument",
    g."status",
    count(v."id") FILTER (WHERE v."status" = 'SENT') AS "waiting",
    count(v."id") FILTER (WHERE v."status" = 'DECLINED') AS "declined",
    c."fee"
FROM "gigs" g
JOIN "concerts" c ON c."id" = g."concert_id"
JOIN "instruments" i ON i."id" = g."instrument_id"
LEFT JOIN "invitations" v ON v."gig_id" = g."id"
WHERE g."status" IN ('OPEN', 'INVITED')
GROUP BY g."id", c."id", i."id";
