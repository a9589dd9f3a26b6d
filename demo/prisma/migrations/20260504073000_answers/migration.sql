-- An answer to an invitation moves everything that hangs on it, in the same transaction.
CREATE FUNCTION "invitation_answered"() RETURNS trigger
LANGUAGE plpgsql
SET search_path = public, pg_temp
AS $$
BEGIN
    IF NEW.status = 'ACCEPTED' THEN
        -- The chair is taken; whoever has not answered need not.
        UPDATE gigs SET status = 'FILLED' WHERE id = NEW.gig_id;
        UPDATE invitations SET status = 'WITHDRAWN' WHERE gig_id = NEW.gig_id AND id <> NEW.id AND status = 'SENT';
        INSERT INTO fees (invitation_id, amount)
        SELECT NEW.id, c.fee
        FROM gigs g
        JOIN concerts c ON c.id = g.concert_id
        WHERE g.id = NEW.gig_id
        ON CONFLICT (invitation_id) DO UPDATE SET status = 'PENDING', amount = EXCLUDED.amount;
    ELSE
        IF TG_OP = 'UPDATE' AND OLD.status = 'ACCEPTED' THEN
            UPDATE fees SET status = 'CANCELLED' WHERE invitation_id = NEW.id AND status <> 'PAID';
        END IF;
        UPDATE gigs g
        SET status = (CASE
            WHEN EXISTS (SELECT 1 FROM invitations v WHERE v.gig_id = g.id AND v.status = 'ACCEPTED') THEN 'FILLED'
            WHEN EXISTS (SELECT 1 FROM invitations v WHERE v.gig_id = g.id AND v.status = 'SENT') THEN 'INVITED'
            ELSE 'OPEN'
        END)::gig_status
        WHERE g.id = NEW.gig_id AND g.status <> 'CANCELLED';
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER "invitation_answered"
AFTER INSERT OR UPDATE OF "status" ON "invitations"
FOR EACH ROW EXECUTE FUNCTION "invitation_answered"();

-- Money leaves a trace.
CREATE FUNCTION "fee_changed"() RETURNS trigger
LANGUAGE plpgsql
SET search_path = public, pg_temp
AS $$
BEGIN
    INSERT INTO fee_changes (fee_id, old_amount, new_amount, old_status, new_status)
    VALUES (NEW.id, OLD.amount, NEW.amount, OLD.status, NEW.status);
    RETURN NULL;
END;
$$;

CREATE TRIGGER "fee_changed"
AFTER UPDATE ON "fees"
FOR EACH ROW
WHEN (OLD."amount" IS DISTINCT FROM NEW."amount" OR OLD."status" IS DISTINCT FROM NEW."status")
EXECUTE FUNCTION "fee_changed"();
